"""Entities: signals, calls, answers, locks' waiting, rows that stay Running."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from local_azure.engine.code import EntityId
from local_azure.engine.history import EventKind
from local_azure.engine.instances import Status

from .conftest import Run
from .fake_code import Context, FakeCode, Task

Steps = Generator[Task, Any, Any]
COUNTER = EntityId("counter", "a")


def counter(state: Any, operation: str, argument: Any) -> tuple[Any, Any]:
    if operation == "add":
        return (state or 0) + argument, (state or 0) + argument
    if operation == "fail":
        raise ValueError("no")
    if operation == "delete":
        return None, None
    return state, state


def uses(context: Context) -> Steps:
    context.signal(COUNTER, "add", 1)
    first = yield context.call(COUNTER, "add", 10)
    second = yield context.call(COUNTER, "get")
    return [first, second]


async def test_signals_and_calls_reach_an_entity_whose_row_stays_running(run: Run) -> None:
    async with run(FakeCode({"Uses": uses}, {}, {"counter": counter})) as running:
        for _ in range(3):
            await running.hub.signal_entity(COUNTER, "add", "1")
        state = await running.run("Uses")
        row = await running.wait("@counter@a", lambda found: found.custom_status == '{"entityExists":true}')
        entity = await running.hub.read_entity(COUNTER)
        listed = await running.hub.list_entities("counter", fetch_state=True)
    assert state.output == "[14, 14]"
    assert (row.status, row.name, row.version) == (Status.RUNNING, "@counter@a", "")
    assert entity is not None
    assert (entity.state, entity.key) == ("14", "a")
    assert [found.state for found in listed.entities] == ["14"]


async def test_a_deleted_entity_leaves_an_empty_row(run: Run) -> None:
    async with run(FakeCode({}, {}, {"counter": counter})) as running:
        await running.hub.signal_entity(COUNTER, "add", "5")
        await running.wait("@counter@a", lambda found: found.custom_status == '{"entityExists":true}')
        await running.hub.signal_entity(COUNTER, "delete")
        row = await running.wait("@counter@a", lambda found: found.custom_status == "{}")
        assert await running.hub.read_entity(COUNTER) is None
    assert (row.status, row.input) == (Status.RUNNING, '{"sorter":{}}')


async def test_an_entity_that_does_not_exist_fails_no_signal(run: Run) -> None:
    async with run(FakeCode({}, {}, {})) as running:
        await running.hub.signal_entity(COUNTER, "add", "5")
        row = await running.wait("@counter@a", lambda found: found.custom_status == "{}")
    assert row.status is Status.RUNNING


async def test_an_answered_call_is_not_sent_on_when_the_caller_continues_as_new(run: Run) -> None:
    def eternal(context: Context) -> Steps:
        value = yield context.call(COUNTER, "add", 1)
        if value < 3:
            context.continue_as_new(None)
            return None
        return sum(event["EventType"] == EventKind.EventRaised for event in context.turn.history)

    async with run(FakeCode({"Eternal": eternal}, {}, {"counter": counter})) as running:
        assert (await running.run("Eternal")).output == "1"
