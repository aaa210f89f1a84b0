"""The client's side: duplicates, suspension, ending, undoing, purging, lists."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_azure.engine.errors import (
    BadContinuationToken,
    BadInstanceId,
    InstanceAlreadyExists,
    InstanceNotFound,
    InstanceNotRunning,
    NotRewindable,
    NotTerminal,
)
from local_azure.engine.instances import InstanceFilter, InstanceState, Status
from local_azure.engine.service import TaskHub, Worker
from local_azure.engine.settings import HubSettings

from .conftest import Run, has_status, wait_for
from .fake_code import Context, FakeCode, Task

Steps = Generator[Task, Any, Any]


def sleeper(context: Context) -> Steps:
    yield context.timer(3600)


def waits(context: Context) -> Steps:
    return (yield context.event("go"))


def returns(context: Context) -> Steps:
    return context.input
    yield


def is_waiting(state: InstanceState) -> bool:
    return state.status is Status.RUNNING


async def test_a_terminated_instance_leaves_its_timer_message_behind(run: Run) -> None:
    async with run(FakeCode({"Sleeper": sleeper})) as running:
        instance_id = await running.hub.start("Sleeper")
        await running.wait(instance_id, is_waiting)
        await running.hub.terminate(instance_id, "drain")
        state = await running.wait(instance_id)
    assert (state.status, state.output) == (Status.TERMINATED, "drain")


async def test_a_pending_instance_is_terminated_when_a_worker_gets_to_it(settings: HubSettings, run: Run) -> None:
    async with TaskHub(settings) as hub:
        instance_id = await hub.start("Sleeper")
        await hub.terminate(instance_id, "x")
        pending = await hub.get(instance_id)
    assert pending is not None
    assert pending.status is Status.PENDING
    async with run(FakeCode({"Sleeper": sleeper})) as running:
        assert (await running.wait(instance_id)).status is Status.TERMINATED


async def test_a_suspended_instance_takes_its_events_only_after_it_is_resumed(run: Run) -> None:
    async with run(FakeCode({"Waits": waits})) as running:
        instance_id = await running.hub.start("Waits")
        await running.wait(instance_id, is_waiting)
        await running.hub.suspend(instance_id, "release")
        suspended = await running.wait(instance_id, has_status(Status.SUSPENDED))
        await running.hub.raise_event(instance_id, "go", "1")
        await asyncio.sleep(0.5)
        still = await running.wait(instance_id, has_status(Status.SUSPENDED))
        await running.hub.resume(instance_id, "done")
        state = await running.wait(instance_id)
    assert suspended.output == "release"
    assert still.status is Status.SUSPENDED
    assert (state.status, state.output) == (Status.COMPLETED, "1")


async def test_calls_on_ended_and_unknown_instances_are_refused(run: Run) -> None:
    async with run(FakeCode({"Returns": returns})) as running:
        state = await running.run("Returns", "1")
        for call in (running.hub.terminate, running.hub.suspend, running.hub.resume):
            with pytest.raises(InstanceNotRunning):
                await call(state.instance_id, None)
            with pytest.raises(InstanceNotFound):
                await call("nobody", None)
        with pytest.raises(InstanceNotRunning):
            await running.hub.raise_event(state.instance_id, "go", None)
        with pytest.raises(NotRewindable):
            await running.hub.rewind(state.instance_id, None)
        with pytest.raises(InstanceNotFound):
            await running.hub.restart("nobody")


async def test_a_live_id_is_not_started_twice_and_an_ended_one_is_started_afresh(run: Run) -> None:
    async with run(FakeCode({"Waits": waits})) as running:
        await running.hub.start("Waits", instance_id="one")
        with pytest.raises(InstanceAlreadyExists):
            await running.hub.start("Waits", instance_id="one")
        await running.wait("one", is_waiting)
        await running.hub.raise_event("one", "go", "1")
        first = await running.wait("one")
        await running.hub.start("Waits", instance_id="one")
        second = await running.wait("one", is_waiting)
    assert second.execution_id != first.execution_id
    assert (first.generation, second.generation) == (0, 1)


async def test_a_restart_under_the_same_id_replaces_the_row(run: Run) -> None:
    async with run(FakeCode({"Returns": returns})) as running:
        first = await running.run("Returns", '{"a":1}', instance_id="one")
        assert await running.hub.restart("one", new_instance_id=False) == "one"
        second = await running.wait("one", lambda state: state.generation == 1 and state.status.is_terminal)
        other = await running.wait(await running.hub.restart("one"))
    assert second.created_time > first.created_time
    assert (other.input, other.output, other.generation) == ('{"a":1}', '{"a": 1}', 0)


@pytest.mark.parametrize("bad", ["a/b", "a\\b", "a#b", "a?b", "a\nb", "@a", ""])
async def test_ids_that_keys_and_urls_cannot_carry_are_refused(settings: HubSettings, bad: str) -> None:
    async with TaskHub(settings) as hub:
        if bad:
            with pytest.raises(BadInstanceId):
                await hub.start("X", instance_id=bad)
        else:
            assert len(await hub.start("X", instance_id=bad)) == 32


async def test_odd_ids_run_and_are_read_back(run: Run) -> None:
    odd = [
        "with space",
        "quo'te",
        'dou"ble',
        "per%41cent",
        "plus+and&amp",
        "emoji-😀",
        "..",
        "ca^ret",
        "pi|pe",
        "x" * 101,
    ]
    async with run(FakeCode({"Returns": returns})) as running:
        states = await asyncio.gather(*(running.run("Returns", "1", instance_id=one) for one in odd))
        assert [state.instance_id for state in states] == odd
        assert [await running.hub.purge(one) for one in odd] == [True] * len(odd)


async def test_rewind_undoes_the_failure_in_children_and_parents(run: Run) -> None:
    broken = True

    async def sometimes(_: Any) -> str:
        if broken:
            raise ValueError("not now")
        return "fine"

    def child(context: Context) -> Steps:
        return (yield context.activity("Sometimes"))

    def parent(context: Context) -> Steps:
        return (yield context.child("Child"))

    async with run(FakeCode({"Child": child, "Parent": parent}, {"Sometimes": sometimes})) as running:
        failed = await running.run("Parent")
        broken = False
        await running.hub.rewind(failed.instance_id, "again")
        state = await running.wait(failed.instance_id, has_status(Status.COMPLETED))
    assert failed.status is Status.FAILED
    assert state.output == '"fine"'


async def test_only_ended_instances_are_purged(run: Run) -> None:
    async with run(FakeCode({"Returns": returns, "Waits": waits})) as running:
        began = datetime.now(UTC) - timedelta(minutes=1)
        done = await running.run("Returns")
        also_done = await running.run("Returns")
        live = await running.hub.start("Waits")
        with pytest.raises(NotTerminal):
            await running.hub.purge(live)
        assert await running.hub.purge("nobody") is False
        assert await running.hub.purge(done.instance_id) is True
        assert await running.hub.history(done.instance_id) == []
        assert await running.hub.purge_by_filter(began, None, (Status.COMPLETED, Status.RUNNING)) == 1
        assert await running.hub.get(also_done.instance_id) is None
        assert await running.hub.get(live) is not None


async def test_lists_come_in_pages_and_by_filter(settings: HubSettings) -> None:
    async with TaskHub(settings) as hub:
        for number in range(7):
            await hub.start("X", f'"{number}"', instance_id=f"{'a' if number < 4 else 'b'}-{number}")
        pages, token = [], None
        while True:
            page = await hub.query(InstanceFilter(), top=3, continuation_token=token)
            pages.append([state.instance_id for state in page.instances])
            token = page.continuation_token
            if token is None:
                break
        by_prefix = await hub.query(InstanceFilter(id_prefix="a-", fetch_input=False))
        none = await hub.query(InstanceFilter(statuses=(Status.FAILED, Status.COMPLETED)))
        with pytest.raises(BadContinuationToken):
            await hub.query(InstanceFilter(), continuation_token="nonsense")
    assert [len(page) for page in pages] == [3, 3, 1]
    listed = [one for page in pages for one in page]
    assert listed == sorted(listed)
    assert [(state.instance_id, state.input) for state in by_prefix.instances] == [(f"a-{n}", None) for n in range(4)]
    assert none.instances == ()


async def test_a_question_alone_makes_the_hub(settings: HubSettings) -> None:
    async with TaskHub(settings) as hub:
        assert (await hub.query(InstanceFilter())).instances == ()
    async with TaskHub(settings) as hub:
        assert await hub.get("nobody") is None


async def test_two_hubs_on_one_tracking_store_share_their_tables_and_not_their_queues(settings: HubSettings) -> None:
    prefix = f"Shared{settings.hub_name}"
    shared = replace(settings, tracking_connection_string=settings.connection_string, tracking_prefix=prefix)
    other = replace(shared, hub_name=f"{settings.hub_name}b")
    async with TaskHub(shared) as mine, TaskHub(other) as theirs:
        worker = Worker(shared, FakeCode({"Returns": returns}))
        await worker.start()
        try:
            await mine.start("Returns", "1", instance_id="mine")
            await theirs.start("Returns", "1", instance_id="theirs")
            done = await wait_for(mine, "mine")
            foreign = await mine.get("theirs")
            of_one_hub = await mine.query(InstanceFilter(task_hubs=(other.hub_name,)))
        finally:
            await worker.stop()
    assert shared.instances_table == f"{prefix}Instances"
    assert done.hub_name == shared.hub_name
    assert foreign is not None
    assert (foreign.status, foreign.hub_name) == (Status.PENDING, other.hub_name)
    assert [state.instance_id for state in of_one_hub.instances] == ["theirs"]


async def test_a_worker_that_stops_politely_hides_no_message_that_it_has_not_begun(run: Run) -> None:
    def many(context: Context) -> Steps:
        for _ in range(5):
            yield context.timer(0)
        return "done"

    code = FakeCode({"Many": many})
    async with run(code) as running:
        ids = [await running.hub.start("Many") for _ in range(20)]
    async with run(code) as running:
        # Far sooner than the five minutes after which a hidden message would come back.
        states = [await running.wait(instance_id, seconds=30) for instance_id in ids]
    assert {state.output for state in states} == {'"done"'}
