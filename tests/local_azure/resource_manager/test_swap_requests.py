"""No request fails because of a swap."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import httpx

from tests.local_azure.cloud import App


async def steady_requests(app: App, slot: str, stop: asyncio.Event, *, every: float) -> Counter[str]:
    """Send requests at a steady rate, one after the other not waiting; count their results."""
    results: Counter[str] = Counter()

    async def one(client: httpx.AsyncClient, path: str) -> None:
        try:
            answer = await client.get(app.url(slot, path))
            results[str(answer.json()["version"]) if answer.status_code == 200 else str(answer.status_code)] += 1
        except httpx.HTTPError as error:
            results[type(error).__name__] += 1

    async with httpx.AsyncClient(timeout=30, verify=False) as client, asyncio.TaskGroup() as group:
        number = 0
        while not stop.is_set():
            number += 1
            # Each tenth request takes longer than the switch, so that some are in flight when it comes.
            group.create_task(one(client, "/?sleep=0.8" if number % 10 == 0 else "/"))
            await asyncio.sleep(every)
    return results


async def test_no_request_to_either_slot_fails_while_slots_are_swapped_there_and_back(app: App) -> None:
    assert (app.version("production"), app.version("staging")) == ("1.0", "2.0")
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        production = group.create_task(steady_requests(app, "production", stop, every=0.02))
        staging = group.create_task(steady_requests(app, "staging", stop, every=0.1))
        await asyncio.sleep(0.5)
        for _ in range(2):
            await asyncio.to_thread(lambda: app.begin_swap().result())
        await asyncio.sleep(0.3)
        stop.set()
    assert set(production.result()) == {"1.0", "2.0"}
    assert set(staging.result()) == {"1.0", "2.0"}
    assert production.result().total() > 80


async def test_a_request_in_flight_at_the_switch_is_answered_by_the_code_that_took_it(app: App) -> None:
    async with httpx.AsyncClient(timeout=30, verify=False) as client:
        app.ask("staging")
        poller = await asyncio.to_thread(app.begin_swap)
        long = asyncio.create_task(client.get(app.url("production", "/?sleep=3")))
        began = time.monotonic()
        while (await client.get(app.url("production"))).json()["version"] == "1.0":
            assert time.monotonic() - began < 30
            await asyncio.sleep(0.02)
        assert not long.done()
        assert (await long).json()["version"] == "1.0"
        await asyncio.to_thread(poller.result)
