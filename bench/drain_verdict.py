"""How fast the drain verdict is on a hub of many rows, measured against the bare table query with the same client."""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from azure.data.tables.aio import TableClient

from bench.busy_hub import PARTITIONS, BusyHub
from bench.goals import Measured
from zdd.core.host_json import StorageKind, StorageReference, TaskHubBinding
from zdd.hooks.task_hub import DrainState, DrainVerdict, TaskHubReader

ROWS = 20_000
LIVE = 200
ROUNDS = 15
# A proof may read each queue twice (count, then peek), and the partitions and the rows once.
REQUESTS_OF_A_PROOF = 2 * (PARTITIONS + 1) + 2
BARE_FILTER = "RuntimeStatus eq 'Running' or RuntimeStatus eq 'Pending'"


@dataclass(frozen=True)
class Bare:
    """The plain query that any drain check needs at least: live rows, two columns, with a client that stays open."""

    table: TableClient

    async def __call__(self) -> int:
        """Ask once and return how many rows came."""
        query = self.table.query_entities(BARE_FILTER, select=["PartitionKey", "RuntimeStatus"])
        return len([row async for row in query])


async def measure(
    connection_string: str, *, rows: int = ROWS, live: int = LIVE, rounds: int = ROUNDS
) -> list[Measured]:
    """Make a busy hub, poll it, let it drain, prove zero."""
    hub = BusyHub(connection_string, "BenchHub", rows, live)
    await hub.make()
    binding = TaskHubBinding(
        hub_name=hub.name,
        storage=StorageReference("Bench", StorageKind.CONNECTION_STRING, connection_string=connection_string),
        control_queue_visibility_timeout=timedelta(minutes=5),
    )
    table = TableClient.from_connection_string(connection_string, f"{hub.name}Instances")
    async with TableHub(binding, table) as at:
        return [*await _poll(at, hub, rounds), *await _prove(at, hub, rounds)]


class TableHub:
    """A reader of the hub and the bare query beside it, both open."""

    def __init__(self, binding: TaskHubBinding, table: TableClient) -> None:
        self.reader = TaskHubReader(binding)
        self.bare = Bare(table)

    async def __aenter__(self) -> TableHub:
        await self.bare.table.__aenter__()
        await self.reader.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.reader.__aexit__(None, None, None)
        await self.bare.table.__aexit__(None, None, None)


async def _poll(at: TableHub, hub: BusyHub, rounds: int) -> list[Measured]:
    proof = await at.reader.prove(None)
    _expect(proof, DrainState.BUSY)
    seen: list[DrainVerdict] = []

    async def poll() -> None:
        seen.append(await at.reader.poll(proof.memory))

    bare, polled = await _side_by_side(at.bare, poll, rounds)
    for verdict in seen:
        _expect(verdict, DrainState.BUSY)
    requests = max(verdict.evidence.requests for verdict in seen)
    size = f"{hub.rows} rows, {hub.live} live"
    return [
        Measured(f"requests of a poll of a busy hub, {size}", "requests", requests, 1, "one row read by key"),
        Measured("time of that poll", "x the bare query", polled / bare, 1, _both(polled, bare)),
    ]


async def _prove(at: TableHub, hub: BusyHub, rounds: int) -> list[Measured]:
    await hub.finish_all()
    seen: list[DrainVerdict] = []

    async def prove() -> None:
        seen.append(await at.reader.prove(None))

    bare, proved = await _side_by_side(at.bare, prove, rounds)
    for verdict in seen:
        _expect(verdict, DrainState.DRAINED)
    requests = max(verdict.evidence.requests for verdict in seen)
    pages = max(verdict.evidence.pages for verdict in seen)
    return [
        Measured("requests of a proof of zero", "requests", requests, REQUESTS_OF_A_PROOF, f"{PARTITIONS} partitions"),
        Measured("scans of the rows in a proof of zero", "pages", pages, 1),
        Measured(
            "time of a proof of zero", "ms", proved, 4 * bare + 50, f"4x the bare query + 50; {_both(proved, bare)}"
        ),
    ]


async def _side_by_side(
    first: Callable[[], Awaitable[object]], second: Callable[[], Awaitable[object]], rounds: int
) -> tuple[float, float]:
    """Return the medians in milliseconds, taken in turns so that a slow moment of the machine hits both."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds + 1):
        for of, call in zip(times, (first, second), strict=True):
            began = time.perf_counter()
            await call()
            of.append((time.perf_counter() - began) * 1000)
    # The first round opens connections.
    return statistics.median(times[0][1:]), statistics.median(times[1][1:])


def _expect(verdict: DrainVerdict, state: DrainState) -> None:
    if verdict.state is not state:
        raise RuntimeError(f"expected a {state} hub to measure, found {verdict.state}: {verdict.reason}")


def _both(ours: float, bare: float) -> str:
    return f"{ours:.1f} ms, the bare query {bare:.1f} ms"
