"""Changes of real Python orchestrators under running instances end as the same changes ended on the real engine."""

from __future__ import annotations

import datetime
import json
import lzma
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.durable_functions as df
import pytest

from local_azure.engine.history import EventKind, make
from local_azure.functions_host.python_app import Function, FunctionApp, _index
from local_azure.functions_host.sdk import SdkCode
from local_azure.functions_host.user_code import UserCode
from tests.local_azure.engine.memory_hub import Instance, MemoryHub

ENGINE_TESTS = Path(__file__).parent.parent / "engine"
RECORDED: dict[str, Any] = json.loads(lzma.decompress((ENGINE_TESTS / "changes.json.xz").read_bytes()))["3.15.0"]
POSITIONS = ("waiting", "in-child", "pending")


def evolving(context: df.DurableOrchestrationContext, edition: str) -> Iterator[Any]:
    """The orchestrator of one edition; see the recordings' own description of the changes."""
    if edition == "status-added":
        context.set_custom_status("new")
    if edition == "input-type":
        int(context.get_input())
    if edition == "x-before-a":
        yield context.call_activity("StepX")
    if edition == "event-before-a":
        yield context.wait_for_external_event("go")
    if edition == "a-parallel-x":
        yield context.task_all([context.call_activity("StepA", "a"), context.call_activity("StepX")])
    elif edition == "a-to-sub":
        yield context.call_sub_orchestrator("Echo", "a")
    elif edition == "a-renamed":
        yield context.call_activity("StepA2", "a")
    elif edition == "a-with-retry":
        yield context.call_activity_with_retry("StepA", df.RetryOptions(100, 3), "a")
    elif not edition.startswith("a-removed"):
        result = yield context.call_activity("StepA", "b" if edition == "a-other-input" else "a")
        if edition == "a-result-type":
            int(result)
    for _ in range({"loop-3": 3, "loop-1": 1}.get(edition, 2)):
        yield context.call_activity("StepL", "l")
    if edition == "x-after-a":
        yield context.call_activity("StepX")
    if edition in ("timer-after-a", "event-to-timer"):
        yield context.create_timer(context.current_utc_datetime + datetime.timedelta(seconds=1))
    if edition == "event-renamed":
        yield context.wait_for_external_event("go2")
    elif edition not in ("event-removed", "event-before-a", "event-to-timer"):
        yield context.wait_for_external_event("go")
    if edition == "x-after-event":
        yield context.call_activity("StepX")
    yield context.call_activity("StepB2" if edition == "b-renamed" else "StepB")
    if edition == "again-after-b":
        context.continue_as_new(context.get_input())
        return None
    child = "none"
    if edition != "child-removed":
        name = "Child2" if edition.startswith("child-renamed") else "Child"
        child = yield context.call_sub_orchestrator(name, None, f"{context.instance_id}-child")
    return {"new": 1} if edition == "output-changed" else f"{RECORDED[edition]['code']}:{child}"


def functions(edition: str) -> dict[str, Function]:
    app = df.DFApp()

    def step(x: object) -> object:
        return "A" if x in ("a", "b") else x

    for name in ("StepA", "StepA2", "StepB", "StepB2", "StepL", "StepX"):
        app.function_name(name)(app.activity_trigger(input_name="x")(step))

    def orchestrator(name: str, run: Any) -> None:
        def function(context: df.DurableOrchestrationContext) -> Any:
            return (yield from run(context))

        app.function_name(name)(app.orchestration_trigger(context_name="context")(function))

    def child(context: df.DurableOrchestrationContext) -> Iterator[Any]:
        if edition == "child-inner":
            yield context.call_activity("StepX")
        yield context.wait_for_external_event("child-go")
        return "C"

    def child2(context: df.DurableOrchestrationContext) -> Iterator[Any]:
        yield context.wait_for_external_event("child-go")
        return "C2"

    def echo(context: df.DurableOrchestrationContext) -> Iterator[Any]:
        return context.get_input()
        yield

    orchestrator("Evolving", lambda context: evolving(context, edition))
    orchestrator("Child", child)
    orchestrator("Child2", child2)
    orchestrator("Echo", echo)
    module = ModuleType("function_app")
    module.app = app  # type: ignore[attr-defined]
    return {name: f for name, f in _index(module).items() if name not in RECORDED[edition]["functions gone"]}


@pytest.fixture(scope="module")
def user_code() -> Iterator[UserCode]:
    running = UserCode()
    yield running
    running.close()


async def send(hub: MemoryHub, worker: SdkCode, ids: list[str], names: tuple[str, ...]) -> None:
    for instance_id in ids:
        instance = hub.instances.get(instance_id)
        if instance is not None and instance.completed is None:
            for name in names:
                hub.send(instance_id, make(EventKind.EventRaised, Name=name, Input="{}"))
    await hub.settle(worker)


async def play(edition: str, user_code: UserCode) -> list[dict[str, Instance]]:
    """The recorded course: base code, the change, the old code put back. Returns what is seen after the last two."""
    base, changed = (
        SdkCode(FunctionApp(Path(), functions(name)), user_code, lambda function: {}) for name in ("base", edition)
    )
    hub = MemoryHub()
    for instance_id in ("waiting", "in-child"):
        hub.start("Evolving", "{}", instance_id)
    await hub.settle(base)
    await send(hub, base, ["in-child"], ("go",))
    hub.start("Evolving", "{}", "pending")
    await hub.settle(changed)
    seen = []
    for worker in (changed, base):
        await send(hub, worker, list(POSITIONS), ("go", "go2"))
        await send(hub, worker, [f"{name}-child" for name in POSITIONS], ("child-go",))
        seen.append({name: Instance(i.execution_id, i.events, i.custom_status) for name, i in hub.instances.items()})
    return seen


@pytest.mark.parametrize("edition", list(RECORDED))
async def test_a_change_ends_as_on_the_real_engine(edition: str, user_code: UserCode) -> None:
    seen = await play(edition, user_code)
    for found, recorded in zip(seen, ("with the change", "old code put back"), strict=True):
        for name in (*POSITIONS, "in-child-child"):
            expected = RECORDED[edition][recorded][name]
            assert found[name].status == expected["runtimeStatus"], (recorded, name, found[name].output)
            if expected["runtimeStatus"] != "Running":
                assert words(found[name].output) == words(expected["output"]), (recorded, name)


def words(output: Any) -> Any:
    """The output, without the words of another language's exceptions."""
    text = output if isinstance(output, str) else json.dumps(output)
    if text.startswith("Orchestrator function 'Evolving' failed:") and "doesn't exist" not in text:
        return "Orchestrator function 'Evolving' failed"
    return json.loads(text) if text.startswith(('"', "{")) else text
