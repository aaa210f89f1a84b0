"""The trigger that waits until a slot's task hub has drained: async, without side effects, safe to run twice."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from zdd import settings
from zdd.core.gate import Gate, SettleRule, Watch, decide
from zdd.hooks.azure import AzureHook
from zdd.hooks.slot_drain import Observed, SlotDrain, utcnow
from zdd.hooks.slot_reader import SlotName, slot_name

OPEN, DEADLINE, ERROR = "open", "deadline", "error"
# After the trigger's own deadline: only a triggerer that is not there at all lets a deferral run out.
DEFERRAL_MARGIN = timedelta(minutes=30)
# Who looks at a wait of hours wants to see that it is alive, and what it waits for by now.
TELL_EVERY = timedelta(minutes=10)


class TaskHubDrainedTrigger(BaseTrigger):
    """Polls a slot's hub until it has settled at zero, or until an absolute deadline.

    Its arguments are plain JSON without secrets. What it has learned (`watch`) comes in and goes out with the event,
    so a wait that moves to another triggerer or back to a task does not begin again.

    :param deadline: ISO time; it does not move when the triggerer restarts.
    :param poll_seconds: pause between two looks, 25 s at most: a quiet window allows no longer gap.
    """

    def __init__(
        self,
        *,
        azure_conn_id: str,
        resource_group: str,
        app_name: str,
        slot: str | None,
        deadline: str,
        poll_seconds: float,
        zeros: int,
        settle_seconds: float,
        status_source: str,
        accept_never_started: bool,
        watch: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.azure_conn_id = azure_conn_id
        self.resource_group = resource_group
        self.app_name = app_name
        self.slot = slot
        self.deadline = deadline
        self.poll_seconds = poll_seconds
        self.zeros = zeros
        self.settle_seconds = settle_seconds
        self.status_source = status_source
        self.accept_never_started = accept_never_started
        self.watch = watch
        self._told: tuple[str, str] | None = None
        self._told_at: datetime | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments."""
        return "zdd.triggers.task_hub.TaskHubDrainedTrigger", {
            "azure_conn_id": self.azure_conn_id,
            "resource_group": self.resource_group,
            "app_name": self.app_name,
            "slot": self.slot,
            "deadline": self.deadline,
            "poll_seconds": self.poll_seconds,
            "zeros": self.zeros,
            "settle_seconds": self.settle_seconds,
            "status_source": self.status_source,
            "accept_never_started": self.accept_never_started,
            "watch": self.watch,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event: open, deadline or error."""
        try:
            event = await self._wait()
        except Exception as error:
            # Whatever it is must reach the task: a trigger that dies silently leaves it deferred until its timeout.
            self.log.exception("Watching the task hub of %s failed", self.app_name)
            event = {"status": ERROR, "message": f"{type(error).__name__}: {error}", "watch": self.watch}
        yield TriggerEvent(event)

    def drain(self) -> SlotDrain:
        """What is watched (a seam for tests)."""
        return SlotDrain(
            AzureHook(self.azure_conn_id),
            slot_name(self.resource_group, self.app_name, self.slot),
            status_source=self.status_source,
            accept_never_started=self.accept_never_started,
        )

    async def _wait(self) -> dict[str, Any]:
        rule = SettleRule(self.zeros, timedelta(seconds=self.settle_seconds))
        deadline = datetime.fromisoformat(self.deadline)
        watch = Watch.from_json(self.watch)
        # Importing the SDKs takes half a second the first time: in a thread it does not stop the other triggers.
        await asyncio.to_thread(import_clients)
        async with self.drain() as drain:
            while True:
                seen = await drain.poll(watch)
                gate = decide(seen.watch, rule, now=utcnow(), deadline=deadline)
                if gate is Gate.DEADLINE:
                    # The last word is a complete proof, so that the blockers named are those of this moment.
                    seen = await drain.prove(seen.watch)
                    gate = decide(seen.watch, rule, now=utcnow(), deadline=deadline)
                self._tell(seen, rule)
                watch = seen.watch
                self.watch = watch.to_json()
                if gate is not Gate.WAIT:
                    return gate_event(OPEN if gate is Gate.OPEN else DEADLINE, seen, self.deadline)
                await asyncio.sleep(self._pause(watch, rule, deadline))

    def _pause(self, watch: Watch, rule: SettleRule, deadline: datetime) -> float:
        """Until the next look: the poll interval, less when the settle time or the deadline ends sooner."""
        pause = min(self.poll_seconds, settings.MAX_POLL_SECONDS)
        left = (deadline - utcnow()).total_seconds()
        first = watch.settling.first_zero_at
        if first is not None and watch.settling.zeros >= rule.zeros - 1:
            # A hub that is used in waves is quiet for a short while only: come back the moment it counts as settled.
            left = min(left, (first + rule.apart - utcnow()).total_seconds())
        return max(0.2, min(pause, left))

    def _tell(self, seen: Observed, rule: SettleRule) -> None:
        """Log changes of state or hub, and now and then that the wait goes on; other polls are debug lines."""
        now = (seen.state.value, seen.binding)
        reason = seen.reason + seen.watch.settling.still_wanted(rule)
        line = "%s/%s: %s: %s (%s)", self.app_name, self.slot or "production", seen.state.value, reason, seen.binding
        if now != self._told or self._told_at is None or seen.began - self._told_at >= TELL_EVERY:
            self.log.info(*line)
            self._told, self._told_at = now, seen.began
        else:
            self.log.debug(*line)


def watch_until(
    deadline: datetime,
    *,
    now: datetime,
    azure_conn_id: str,
    target: SlotName,
    poll_seconds: float,
    rule: SettleRule,
    status_source: str,
    accept_never_started: bool,
    watch: Watch,
) -> dict[str, Any]:
    """Return the `trigger` and the `timeout` with which a task defers until a slot's hub has drained."""
    trigger = TaskHubDrainedTrigger(
        azure_conn_id=azure_conn_id,
        resource_group=target.resource_group,
        app_name=target.app,
        slot=target.slot,
        deadline=deadline.isoformat(),
        poll_seconds=poll_seconds,
        zeros=rule.zeros,
        settle_seconds=rule.apart.total_seconds(),
        status_source=status_source,
        accept_never_started=accept_never_started,
        watch=watch.to_json(),
    )
    return {"trigger": trigger, "timeout": deadline - now + DEFERRAL_MARGIN}


def import_clients() -> None:
    """Import what a look at a hub needs; the modules are used by the hooks, inside their methods."""
    for name in (
        "azure.mgmt.core",
        "azure.core.pipeline.transport",
        "azure.data.tables.aio",
        "azure.storage.queue.aio",
    ):
        importlib.import_module(name)


def gate_event(status: str, seen: Observed, deadline: str) -> dict[str, Any]:
    """The event's payload, and the shape in which a sensor's poke hands on what it saw: small JSON, no secrets."""
    return {
        "status": status,
        "deadline": deadline,
        "state": seen.state.value,
        "reason": seen.reason,
        "hub": seen.binding,
        "began": seen.began.isoformat(),
        "evidence": dict(seen.evidence),
        "warnings": list(seen.warnings),
        "watch": seen.watch.to_json(),
    }
