"""Orchestrations through a worker on real queues and tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from typing import Any

import pytest

from local_azure.engine.errors import HistoryUnreadable
from local_azure.engine.instances import Status
from local_azure.engine.settings import HubSettings

from .conftest import Run
from .fake_code import Context, FakeCode, Task, TaskFailure

Steps = Generator[Task, Any, Any]


async def hello(name: str) -> str:
    return f"Hello {name}!"


async def boom(_: Any) -> None:
    raise ValueError("failing on purpose")


def chain(context: Context) -> Steps:
    said = []
    for city in ("Tokyo", "Seattle", "London"):
        said.append((yield context.activity("SayHello", city)))
    return " ".join(said)


async def test_a_chain_of_activities_completes_with_its_output(run: Run) -> None:
    async with run(FakeCode({"Chain": chain}, {"SayHello": hello})) as running:
        state = await running.run("Chain", '{"a":1}')
    assert (state.status, state.output) == (Status.COMPLETED, '"Hello Tokyo! Hello Seattle! Hello London!"')
    assert (state.name, state.input, state.custom_status) == ("Chain", '{"a":1}', "null")
    assert set(running.code.runs.values()) == {1}


async def test_a_fan_out_waits_for_all_its_activities(run: Run) -> None:
    def fan_out(context: Context) -> Steps:
        values = yield context.all(*(context.activity("SayHello", str(n)) for n in range(40)))
        return len(values)

    async with run(FakeCode({"FanOut": fan_out}, {"SayHello": hello})) as running:
        assert (await running.run("FanOut")).output == "40"


async def test_a_timer_fires_no_earlier_than_a_second_before_it_is_due(run: Run) -> None:
    def sleeper(context: Context) -> Steps:
        began = context.now
        yield context.timer(2)
        return (context.now - began).total_seconds()

    async with run(FakeCode({"Sleeper": sleeper})) as running:
        state = await running.run("Sleeper")
    assert 1 <= json.loads(state.output or "0") < 3


async def test_an_event_wakes_the_instance_that_waits_for_it_and_others_are_buffered(run: Run) -> None:
    def waits(context: Context) -> Steps:
        context.custom_status = "waiting"
        first = yield context.event("go")
        second = yield context.event("other")
        return [first, second]

    async with run(FakeCode({"Waits": waits})) as running:
        instance_id = await running.hub.start("Waits")
        await running.wait(instance_id, lambda state: state.custom_status == '"waiting"')
        await running.hub.raise_event(instance_id, "other", '{"n":1}')
        await asyncio.sleep(0.2)
        await running.hub.raise_event(instance_id, "go", "2")
        assert (await running.wait(instance_id)).output == '[2, {"n": 1}]'


async def test_an_activity_that_fails_reaches_the_orchestrator_as_its_reason(run: Run) -> None:
    def catches(context: Context) -> Steps:
        try:
            yield context.activity("Boom")
        except TaskFailure as failure:
            return str(failure)

    def fails(context: Context) -> Steps:
        yield context.activity("Boom")

    async with run(FakeCode({"Catches": catches, "Fails": fails}, {"Boom": boom})) as running:
        caught = await running.run("Catches")
        failed = await running.run("Fails")
    assert caught.output == "\"Activity function 'Boom' failed: failing on purpose\""
    assert failed.status is Status.FAILED
    assert failed.output == (
        "Orchestrator function 'Fails' failed: Activity function 'Boom' failed: failing on purpose"
    )


async def test_sub_orchestrations_give_their_results_to_their_parent(run: Run) -> None:
    def child(context: Context) -> Steps:
        return (yield context.activity("SayHello", context.input))

    def parent(context: Context) -> Steps:
        values = yield context.all(
            context.child("Child", "a"), context.child("Child", "b", instance_id="my-child"), context.child("Child", 3)
        )
        return values

    async with run(FakeCode({"Child": child, "Parent": parent}, {"SayHello": hello})) as running:
        state = await running.run("Parent", instance_id="my-parent")
        mine = await running.hub.get("my-child")
        other = await running.hub.get(f"{state.execution_id}:0")
    assert state.output == '["Hello a!", "Hello b!", "Hello 3!"]'
    assert mine is not None
    assert mine.status is Status.COMPLETED
    assert other is not None
    assert other.output == '"Hello a!"'


async def test_a_child_that_fails_fails_its_call(run: Run) -> None:
    def child(context: Context) -> Steps:
        yield context.activity("Boom")

    def parent(context: Context) -> Steps:
        try:
            yield context.child("Child")
        except TaskFailure as failure:
            return str(failure)

    async with run(FakeCode({"Child": child, "Parent": parent}, {"Boom": boom})) as running:
        state = await running.run("Parent")
    assert "Orchestrator function 'Child' failed: Activity function 'Boom' failed" in (state.output or "")


async def test_continue_as_new_keeps_the_id_and_the_events_that_nobody_took(run: Run) -> None:
    def eternal(context: Context) -> Steps:
        if context.input["n"] < 3:
            yield context.timer(0)
            context.continue_as_new({"n": context.input["n"] + 1})
            return None
        return (yield context.event("stop"))

    async with run(FakeCode({"Eternal": eternal})) as running:
        instance_id = await running.hub.start("Eternal", '{"n":0}')
        await running.hub.raise_event(instance_id, "stop", '"now"')
        state = await running.wait(instance_id)
        history = await running.hub.history(instance_id)
    assert (state.output, state.input, state.status) == ('"now"', '{"n": 3}', Status.COMPLETED)
    assert "ContinueAsNew" not in {event["EventType"] for event in history}


async def test_an_orchestrator_that_is_gone_fails_even_its_pending_instances(run: Run) -> None:
    async with run(FakeCode({})) as running:
        state = await running.run("Nobody")
    assert state.status is Status.FAILED
    assert state.output == (
        "Orchestrator function 'Nobody' failed: The function 'Nobody' doesn't exist, is disabled, "
        "or is not an orchestrator function."
    )


async def test_a_renamed_activity_fails_the_running_instance_and_spoils_its_history(
    settings: HubSettings, run: Run
) -> None:
    def before(context: Context) -> Steps:
        yield context.activity("SayHello", "a")
        yield context.event("go")

    def after(context: Context) -> Steps:
        yield context.activity("SayHi", "a")
        yield context.event("go")

    async with run(FakeCode({"X": before}, {"SayHello": hello})) as running:
        instance_id = await running.hub.start("X")
        await running.wait(instance_id, lambda state: state.status is Status.RUNNING)
    async with run(FakeCode({"X": after}, {"SayHi": hello})) as running:
        await running.hub.raise_event(instance_id, "go", None)
        state = await running.wait(instance_id)
        with pytest.raises(HistoryUnreadable):
            await running.hub.history(instance_id)
    assert state.status is Status.FAILED
    assert state.output == (
        "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity task "
        "with sequence number 0 named 'SayHello', but the current orchestration replay instead scheduled an activity "
        "task named 'SayHi' with this sequence number.  Was a change made to the orchestrator code after this "
        "instance had already started running?"
    )
