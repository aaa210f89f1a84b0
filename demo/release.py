"""The two ways to release: through the DAG with its gates, and as a pipeline without gates does it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient

from demo.airflow_api import RUN_ENDS, AirflowApi, LogLine, TaskState
from demo.cloud import STAGING
from demo.package import orders_package
from demo.stack import DAG, Stack

POLL_SECONDS = 1.0
INTENT_POLL_SECONDS = 0.15
# How often a task that waits is asked what it waits for.
WAITING_SECONDS = 6.0
FOR_PEOPLE = {"info", "warning", "error", "critical"}


@dataclass(frozen=True)
class Step:
    """One task of a release, as the summary shows it."""

    name: str
    state: str
    seconds: float | None
    said: str


@dataclass(frozen=True)
class Outcome:
    """A release that has ended."""

    succeeded: bool
    seconds: float
    steps: tuple[Step, ...]
    link: str | None = None
    verdict_at: datetime | None = None
    """When the swap was meant, right after its last verdict; None when it never came to that."""


@dataclass
class Watch:
    """What the demo does at the moments of a release; both ways to release call it."""

    say: Callable[[str], None]
    on_staging_wait: Callable[[], None] = field(default=lambda: None)
    on_swap: Callable[[], None] = field(default=lambda: None)


async def through_the_dag(stack: Stack, api: AirflowApi, conf: Mapping[str, object], watch: Watch) -> Outcome:
    """Trigger the DAG with the form's parameters over REST and follow it to its end."""
    run_id = await api.trigger(DAG, conf)
    watch.say(f"release triggered: {api.run_link(DAG, run_id)}")
    return await follow(stack, api, run_id, watch)


async def follow(stack: Stack, api: AirflowApi, run_id: str, watch: Watch) -> Outcome:
    """Follow one run of the DAG to its end, whoever started it."""
    swap_meant: list[datetime] = []
    watcher = asyncio.ensure_future(_watch_for_the_swap(stack, swap_meant, watch))
    follower = _Follower(api, run_id, watch)
    try:
        while (state := await api.run_state(DAG, run_id)) not in RUN_ENDS:
            await follower.look()
            await asyncio.sleep(POLL_SECONDS)
        steps = await follower.steps()
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher
    seconds = await api.run_seconds(DAG, run_id)
    link = api.run_link(DAG, run_id)
    return Outcome(state == "success", seconds, steps, link, swap_meant[-1] if swap_meant else None)


class _Follower:
    """Says what changed in a run since the last look."""

    def __init__(self, api: AirflowApi, run_id: str, watch: Watch) -> None:
        self._api, self._run_id, self._watch = api, run_id, watch
        self._known: dict[str, str | None] = {}
        self._asked_at = 0.0
        self._last_said = ""
        self._waited_for: dict[str, str] = {}

    async def look(self) -> None:
        for task in await self._api.tasks(DAG, self._run_id):
            if task.state != self._known.get(task.task_id):
                self._known[task.task_id] = task.state
                await self._tell(task)
            elif task.state == "deferred" and time.monotonic() - self._asked_at > WAITING_SECONDS:
                self._asked_at = time.monotonic()
                said = await self._said(task)
                if said and said != self._last_said:
                    self._last_said = said
                    self._watch.say(f"    {said}")

    async def _tell(self, task: TaskState) -> None:
        if task.state == "deferred":
            waits_for = await self._said(task)
            self._waited_for.setdefault(task.task_id, waits_for)
            self._last_said, self._asked_at = waits_for, time.monotonic()
            self._watch.say(f"  {task.task_id}: {waits_for or 'waits'}")
            if task.task_id == "wait_for_staging_to_drain":
                self._watch.on_staging_wait()
        elif task.state in {"success", "failed", "up_for_retry", "awaiting_input"}:
            took = f" in {task.seconds:.1f} s" if task.seconds is not None else ""
            self._watch.say(f"  {task.task_id}: {task.state}{took}. {await self._said(task)}".rstrip(". "))

    async def _said(self, task: TaskState) -> str:
        return line_for_people(await self._api.log(DAG, self._run_id, task))

    async def steps(self) -> tuple[Step, ...]:
        await self.look()
        steps = []
        for task in await self._api.tasks(DAG, self._run_id):
            said = await self._said(task) if task.started else ""
            waited = self._waited_for.get(task.task_id)
            steps.append(Step(task.task_id, task.state or "", task.seconds, f"{waited}\n{said}" if waited else said))
        return tuple(steps)


def line_for_people(lines: list[LogLine]) -> str:
    """Return what ended the task, or else the last line that one of our own modules logged."""
    ours = [line for line in lines if "zdd." in line.logger and line.level in FOR_PEOPLE]
    errors = [line for line in lines if line.error]
    text = errors[-1].error if errors else ours[-1].text if ours else ""
    return " ".join(text.split())


async def _watch_for_the_swap(stack: Stack, found: list[datetime], watch: Watch) -> None:
    """Wait for the row that a release writes after its last verdict and before it calls Azure to swap."""
    async with TableServiceClient.from_connection_string(stack.storage) as service:
        intents = service.get_table_client("zddIntents")
        began = datetime.now(UTC)
        while True:
            with contextlib.suppress(ResourceNotFoundError):
                async for row in intents.query_entities("Action eq 'swap'"):
                    started = datetime.fromisoformat(row["StartedAt"])
                    if started > began and started not in found and not row.get("Result"):
                        found.append(started)
                        watch.on_swap()
            await asyncio.sleep(INTENT_POLL_SECONDS)


async def without_gates(stack: Stack, version_folder: str, edition: str, watch: Watch) -> Outcome:
    """Deploy over staging and swap, whatever runs there: what a pipeline does that knows nothing of orchestrations."""
    began = time.monotonic()
    steps: list[Step] = []

    async def step(name: str, work: Callable[[], Any]) -> None:
        started = time.monotonic()
        await asyncio.to_thread(work)
        steps.append(Step(name, "success", time.monotonic() - started, ""))
        watch.say(f"  {name}: done in {steps[-1].seconds:.1f} s")

    watch.say("release without gates: deploy over staging, swap")
    watch.on_staging_wait()
    await step("deploy_to_staging", lambda: stack.cloud.deploy(STAGING, orders_package(version_folder)))
    await step("verify_staging", lambda: stack.cloud.wait_until_up(STAGING, edition))
    verdict_at = datetime.now(UTC)
    watch.on_swap()
    await step("swap", stack.cloud.swap)
    await step("verify_production", lambda: stack.cloud.wait_until_up(None, edition))
    return Outcome(True, time.monotonic() - began, tuple(steps), None, verdict_at)
