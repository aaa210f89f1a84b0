"""The same scenario gives the same messages, history rows and instance rows as the recordings of the real engine."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from local_azure.engine.code import EntityId
from local_azure.engine.instances import InstanceState, Status
from local_azure.engine.service import TaskHub, Worker
from local_azure.engine.settings import HubSettings, VersionFailure

from .conftest import Running, has_status
from .fake_code import Context, FakeCode, Task, TaskFailure
from .recording import Recorder, film, of_instance

Steps = Generator[Task, Any, Any]
Play = Callable[[Running], Awaitable[None]]


async def say_hello(name: str) -> str:
    return f"Hello {name}!"


async def boom(_: Any) -> None:
    raise ValueError("failing on purpose")


def hello_sequence(context: Context) -> Steps:
    said = []
    for city in ("Tokyo", "Seattle", "London"):
        said.append((yield context.activity("SayHello", city)))
    return " ".join(said)


def sleeper(context: Context) -> Steps:
    yield context.timer((context.input or {}).get("Seconds", 0))
    return "slept"


def parent(context: Context) -> Steps:
    yield context.all(*(context.child("Sleeper", {"Seconds": 3}) for _ in range(3)))
    return 3


def failing(context: Context) -> Steps:
    if context.input.get("Direct"):
        raise ValueError("failing on purpose")
    try:
        yield context.activity("Boom", "failing on purpose")
    except TaskFailure as failure:
        text = "The activity function 'Boom' failed: \"failing on purpose\"."
        raise ValueError(f"{text} See the function execution logs for additional details.") from failure


def wait_event(context: Context) -> Steps:
    value = yield context.event("go")
    return '{"approved":true}' if value == {"approved": True} else value


def monitor(context: Context) -> Steps:
    n = context.input.get("N", 0)
    yield context.any(context.timer(context.input["Seconds"]), context.event("tick"))
    if n < context.input["K"] - 1:
        context.continue_as_new({**context.input, "N": n + 1})
    return n


def counter(state: Any, operation: str, argument: Any) -> tuple[Any, Any]:
    return (None, None) if operation == "delete" else ((state or 0) + argument, None)


CODE = {
    "Monitor": monitor,
    "HelloSequence": hello_sequence,
    "Sleeper": sleeper,
    "Parent": parent,
    "Failing": failing,
    "WaitEvent": wait_event,
}


@asynccontextmanager
async def recorded(settings: HubSettings) -> AsyncIterator[tuple[Running, Recorder]]:
    recorder = Recorder()
    code = FakeCode(CODE, {"SayHello": say_hello, "Boom": boom}, {"counter": counter})
    async with TaskHub(settings, on_exchange=recorder.hook) as hub:
        worker = Worker(settings, code, on_exchange=recorder.hook)
        await worker.start()
        try:
            yield Running(hub, worker, code), recorder
        finally:
            await worker.stop()


async def play_hello(running: Running) -> None:
    await running.run("HelloSequence", "{}", instance_id="hello-1")


async def play_sleeper(running: Running) -> None:
    hub, wait = running.hub, running.wait
    await hub.start("Sleeper", '{"Seconds":3600}', instance_id="sleep-1")
    await wait("sleep-1", has_status(Status.RUNNING))
    await hub.suspend("sleep-1", "release")
    await wait("sleep-1", has_status(Status.SUSPENDED))
    await hub.resume("sleep-1", "done")
    await wait("sleep-1", has_status(Status.RUNNING))
    await hub.terminate("sleep-1", "drain")
    await wait("sleep-1")
    await hub.restart("sleep-1", new_instance_id=False)
    await wait("sleep-1", has_status(Status.RUNNING))


async def play_failing(running: Running) -> None:
    await running.run("Failing", '{"Direct":true}', instance_id="fail-orch")
    await running.run("Failing", "{}", instance_id="fail-act")
    await running.hub.rewind("fail-act", "again")
    await running.wait("fail-act", lambda state: state.status is Status.FAILED)


async def play_parent(running: Running) -> None:
    await running.run("Parent", '{"K":3,"Seconds":6}', instance_id="parent-1")


async def play_wait_event(running: Running) -> None:
    await running.hub.start("WaitEvent", "{}", instance_id="wait-1")
    await running.wait("wait-1", has_status(Status.RUNNING))
    await running.hub.raise_event("wait-1", "other", '{"a":1}')
    await asyncio.sleep(1)
    await running.hub.raise_event("wait-1", "go", '{"approved":true}')
    await running.wait("wait-1")


async def play_monitor(running: Running) -> None:
    await running.hub.start("Monitor", '{"Seconds":3600,"K":4}', instance_id="mon-1")
    last = ""
    for _ in range(4):

        def moved(state: InstanceState, before: str = last) -> bool:
            return state.status is Status.RUNNING and state.execution_id != before

        last = (await running.wait("mon-1", moved)).execution_id
        await running.hub.raise_event("mon-1", "tick", "{}")
    await running.wait("mon-1")


async def play_entity(running: Running) -> None:
    await running.hub.signal_entity(EntityId("counter", "b"), "add", "5")
    await running.wait("@counter@b", lambda state: state.custom_status == '{"entityExists":true}')
    await running.hub.signal_entity(EntityId("counter", "b"), "delete")
    await running.wait("@counter@b", lambda state: state.custom_status == "{}")


def without_payloads(found: Any) -> Any:
    """Arguments and results of the test app's C# types are its own."""
    if isinstance(found, dict):
        return {key: without_payloads(value) for key, value in found.items()}
    if isinstance(found, list):
        return [without_payloads(value) for value in found]
    if isinstance(found, str):
        return re.sub(r'^\[.*\]$|^\{.*"Seconds".*\}$', "<payload>", found, flags=re.DOTALL)
    return found


@pytest.mark.parametrize(
    ("name", "instance_id", "play"),
    [
        ("hello", "hello-1", play_hello),
        ("sleeper", "sleep-1", play_sleeper),
        ("wait-event", "wait-1", play_wait_event),
        ("failing", "fail-orch", play_failing),
        ("failing", "fail-act", play_failing),
        ("parent", "parent-1", play_parent),
        ("monitor", "mon-1", play_monitor),
        ("entity", "@counter@b", play_entity),
    ],
)
async def test_a_scenario_leaves_what_the_real_engine_leaves(
    settings: HubSettings, name: str, instance_id: str, play: Play
) -> None:
    async with recorded(settings) as (running, recorder):
        await play(running)
    ours = without_payloads(of_instance(recorder.operations, instance_id))
    theirs = without_payloads(of_instance(film(name), instance_id))
    if name == "parent":
        # How many children's answers one turn gets is chance: the events alone are compared.
        ours, theirs = _events_only(ours), _events_only(theirs)
    for part in theirs:
        assert ours[part] == theirs[part], part


def _events_only(found: dict[str, list[Any]]) -> dict[str, list[Any]]:
    found = json.loads(re.sub(r"<id \d+>", "<id>", json.dumps(found)))
    kinds = ("SubOrchestrationInstanceCreated", "SubOrchestrationInstanceCompleted", "ExecutionCompleted")
    events = [row[1] for batch in found["history"] for row in batch]
    kept = [event for event in events if event.get("EventType") in kinds]
    return {
        "messages": sorted(found["messages"][1:], key=lambda m: m["TaskMessage"]["Event"]["TaskScheduledId"]),
        "history": sorted(({**event, "EventId": 0, "TaskScheduledId": 0, "InstanceId": 0} for event in kept), key=str),
        "rows": [found["rows"][0], found["rows"][1], found["rows"][-1]],
    }


async def test_calls_on_pending_instances_are_carried_out_when_a_worker_comes(settings: HubSettings) -> None:
    recorder = Recorder()
    async with TaskHub(settings, on_exchange=recorder.hook) as hub:
        for instance_id in ("pend-0", "pend-1"):
            await hub.start("HelloSequence", "{}", instance_id=instance_id)
        await hub.terminate("pend-0", "x")
        await hub.suspend("pend-1", "x")
        async with recorded(settings) as (running, working):
            await running.wait("pend-0")
            await running.wait("pend-1", has_status(Status.SUSPENDED))
    for instance_id in ("pend-0", "pend-1"):
        ours = without_payloads(of_instance(recorder.operations + working.operations, instance_id))
        theirs = without_payloads(of_instance(film("pending"), instance_id))
        assert ours["history"][0] == theirs["history"][0]
        assert ours["rows"][:2] == theirs["rows"][:2]


async def test_a_version_that_fails_is_written_as_the_real_engine_writes_it(settings: HubSettings) -> None:
    newer = replace(settings, default_version="3.0")
    worker = replace(settings, default_version="2.0", version_failure=VersionFailure.FAIL)
    async with TaskHub(newer) as hub:
        await hub.start("HelloSequence", "{}", instance_id="at-3.0")
    async with recorded(worker) as (running, recorder):
        await running.wait("at-3.0")
    ours = of_instance(recorder.operations, "at-3.0")
    theirs = of_instance(film("version-currentorolder-fail"), "at-3.0")
    assert ours["history"] == theirs["history"]
    assert ours["rows"] == theirs["rows"][1:]


async def test_each_step_is_written_before_what_depends_on_it(settings: HubSettings) -> None:
    """Message before row; messages before history; history before row; row before the message is deleted."""
    slow = replace(settings, max_queue_polling_interval=timedelta(seconds=5))
    async with recorded(slow) as (running, recorder):
        await running.run("HelloSequence", "{}", instance_id="hello-1")
        await asyncio.sleep(0.2)
    steps = []
    for operation in recorder.operations:
        queue = str(operation.get("queue", ""))
        if operation["op"] == "put-message":
            steps.append(operation["message"]["TaskMessage"]["Event"]["$type"].split(".")[-1])
        elif operation["op"] == "batch":
            steps.append("history")
        elif operation["op"] == "delete-message":
            steps.append("work item deleted" if queue.endswith("workitems") else "control message deleted")
        elif operation.get("table") == settings.instances_table:
            steps.append("Pending" if operation["entity"].get("RuntimeStatus") == "Pending" else "row")

    def at(name: str, number: int = 0) -> int:
        return [index for index, step in enumerate(steps) if step == name][number]

    assert at("ExecutionStartedEvent") < at("Pending")
    for turn in range(4):
        assert at("history", turn) < at("row", turn) < at("control message deleted", turn)
    for turn in range(3):
        assert at("TaskScheduledEvent", turn) < at("history", turn)
        assert at("TaskCompletedEvent", turn) < at("work item deleted", turn)
