"""Code changes under running instances end as they ended on the real engine: 31 changes in three positions."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from local_azure.engine.history import EventKind, make

from .fake_code import Context, FakeCode, Task
from .memory_hub import Instance, MemoryHub

Steps = Generator[Task, Any, Any]
RECORDED: dict[str, Any] = json.loads(lzma.decompress(Path(__file__).with_name("changes.json.xz").read_bytes()))[
    "3.15.0"
]
POSITIONS = ("waiting", "in-child", "pending")


def evolving(edition: str) -> Callable[[Context], Steps]:
    """The orchestrator of one edition; see the recordings' own description of the changes."""

    def run(context: Context) -> Steps:
        if edition == "status-added":
            context.custom_status = "new"
        if edition == "input-type":
            int(context.input)
        if edition == "x-before-a":
            yield context.activity("StepX")
        if edition == "event-before-a":
            yield context.event("go")
        if edition == "a-parallel-x":
            yield context.all(context.activity("StepA", "a"), context.activity("StepX"))
        elif edition == "a-to-sub":
            yield context.child("Echo", "a")
        elif edition == "a-renamed":
            yield context.activity("StepA2", "a")
        elif not edition.startswith("a-removed"):
            result = yield context.activity("StepA", "b" if edition == "a-other-input" else "a")
            if edition == "a-result-type":
                int(result)
        for _ in range({"loop-3": 3, "loop-1": 1}.get(edition, 2)):
            yield context.activity("StepL", "l")
        if edition == "x-after-a":
            yield context.activity("StepX")
        if edition == "timer-after-a":
            yield context.timer(1)
        if edition == "event-to-timer":
            yield context.timer(1)
        elif edition == "event-renamed":
            yield context.event("go2")
        elif edition not in ("event-removed", "event-before-a"):
            yield context.event("go")
        if edition == "x-after-event":
            yield context.activity("StepX")
        yield context.activity("StepB2" if edition == "b-renamed" else "StepB")
        if edition == "again-after-b":
            context.continue_as_new(context.input)
            return None
        child = "none"
        if edition != "child-removed":
            name = "Child2" if edition.startswith("child-renamed") else "Child"
            child = yield context.child(name, None, instance_id=f"{context.turn.instance_id}-child")
        return {"new": 1} if edition == "output-changed" else f"{_label(edition)}:{child}"

    return run


def _label(edition: str) -> str:
    """The code of an edition, which may be that of another one with functions gone."""
    return str(RECORDED[edition]["code"])


def code(edition: str) -> FakeCode:
    recorded = RECORDED[edition]

    def child(context: Context) -> Steps:
        if edition == "child-inner":
            yield context.activity("StepX")
        yield context.event("child-go")
        return "C"

    def child2(context: Context) -> Steps:
        yield context.event("child-go")
        return "C2"

    def echo(context: Context) -> Steps:
        return context.input
        yield

    async def step(argument: Any) -> Any:
        return "A" if argument in ("a", "b") else argument

    orchestrators = {"Evolving": evolving(edition), "Child": child, "Child2": child2, "Echo": echo}
    activities = dict.fromkeys(("StepA", "StepA2", "StepB", "StepB2", "StepL", "StepX"), step)
    for gone in recorded["functions gone"]:
        orchestrators.pop(gone, None)
        activities.pop(gone, None)
    return FakeCode(orchestrators, activities)


async def _send(hub: MemoryHub, worker: FakeCode, ids: list[str], names: tuple[str, ...]) -> None:
    for instance_id in ids:
        instance = hub.instances.get(instance_id)
        if instance is not None and instance.completed is None:
            for name in names:
                hub.send(instance_id, make(EventKind.EventRaised, Name=name, Input="{}"))
    await hub.settle(worker)


async def play(edition: str) -> tuple[dict[str, Instance], dict[str, Instance]]:
    """The recorded course: base code, the change, the old code put back. Returns what is seen after the last two."""
    hub, base, changed = MemoryHub(), code("base"), code(edition)
    for instance_id in ("waiting", "in-child"):
        hub.start("Evolving", "{}", instance_id)
    await hub.settle(base)
    await _send(hub, base, ["in-child"], ("go",))
    hub.start("Evolving", "{}", "pending")
    await hub.settle(changed)
    seen = []
    for worker in (changed, base):
        await _send(hub, worker, list(POSITIONS), ("go", "go2"))
        await _send(hub, worker, [f"{name}-child" for name in POSITIONS], ("child-go",))
        seen.append({name: Instance(i.execution_id, i.events, i.custom_status) for name, i in hub.instances.items()})
    return seen[0], seen[1]


@pytest.mark.parametrize("edition", list(RECORDED))
async def test_a_change_ends_as_on_the_real_engine(edition: str) -> None:
    after_change, put_back = await play(edition)
    for seen, recorded in ((after_change, "with the change"), (put_back, "old code put back")):
        for name in (*POSITIONS, "in-child-child"):
            expected = RECORDED[edition][recorded][name]
            found = seen[name]
            assert found.status == expected["runtimeStatus"], (recorded, name, found.output)
            if expected["runtimeStatus"] != "Running":
                assert _kind(found.output) == _kind(expected["output"]), (recorded, name)


def _kind(output: Any) -> Any:
    """The output, without the words of another language's parser."""
    text = output if isinstance(output, str) else json.dumps(output)
    if text.startswith("Orchestrator function 'Evolving' failed:") and "doesn't exist" not in text:
        return "Orchestrator function 'Evolving' failed"
    return json.loads(text) if text.startswith(('"', "{")) else text
