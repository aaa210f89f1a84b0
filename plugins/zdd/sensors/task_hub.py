"""The sensor that waits for zero running orchestration instances in the hub of a slot's code."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.bases.sensor import PokeReturnValue
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException

from zdd import settings
from zdd.core.gate import DRAINED, FAIL, HANDOVER, TERMINATE, Gate, SettleRule, Watch, decide
from zdd.exceptions import DeadlinePassed, Unknown
from zdd.hooks.azure import AzureHook
from zdd.hooks.slot_drain import STATUS_SOURCES, TABLES, Observed, SlotDrain, utcnow
from zdd.hooks.slot_reader import SlotName, slot_name
from zdd.operators.base import as_choice, as_number, as_poll_seconds, guarded
from zdd.triggers.task_hub import DEADLINE, ERROR, OPEN, gate_event, watch_until

if TYPE_CHECKING:
    from airflow.sdk import Context

DEADLINE_KEY = "drain_deadline"


class ZeroRunningInstancesSensor(BaseSensorOperator):
    """Waits until the task hub of the code in a slot has drained, by the full drain verdict (docs/drain-verdict.md).

    It looks once before it defers, keeps one absolute deadline over retries and restarts, and opens after `zeros`
    proofs in a row, the last begun `settle_seconds` after the first. Its result is small JSON: outcome, reason,
    evidence, and the watch that the task which acts goes on from.

    :param slot_name: slot whose code is watched; empty or `production` for production.
    :param drain_deadline_minutes: how long to wait at most, counted from the first try.
    :param window_end: ISO time, or empty: when it comes first, the run ends as skipped, with the reason.
    :param before_swap: `drained` waits; `handover` looks once, reports and passes.
    :param on_deadline: `fail`; `handover` or `terminate` pass with that outcome, for the operators that follow.
    :param never_started: `accept` takes a hub of which nothing exists as drained.
    """

    template_fields: Sequence[str] = (
        "resource_group",
        "app_name",
        "slot_name",
        "drain_deadline_minutes",
        "window_end",
        "settle_seconds",
        "poll_seconds",
        "before_swap",
        "on_deadline",
        "status_source",
        "never_started",
        "azure_conn_id",
    )
    ui_color = "#0078d4"
    ui_fgcolor = "#ffffff"

    def __init__(
        self,
        *,
        resource_group: str,
        app_name: str,
        slot_name: str = "",
        drain_deadline_minutes: float | str = 60,
        window_end: str = "",
        settle_seconds: float | str = 10,
        poll_seconds: float | str = 15,
        zeros: int = 2,
        before_swap: str = DRAINED,
        on_deadline: str = FAIL,
        status_source: str = TABLES,
        never_started: str = "refuse",
        azure_conn_id: str = settings.AZURE_CONN_ID,
        deferrable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource_group = resource_group
        self.app_name = app_name
        self.slot_name = slot_name
        self.drain_deadline_minutes = drain_deadline_minutes
        self.window_end = window_end
        self.settle_seconds = settle_seconds
        self.poll_seconds = poll_seconds
        self.zeros = zeros
        self.before_swap = before_swap
        self.on_deadline = on_deadline
        self.status_source = status_source
        self.never_started = never_started
        self.azure_conn_id = azure_conn_id
        self.deferrable = (
            conf.getboolean("operators", "default_deferrable", fallback=True) if deferrable is None else deferrable
        )
        self._watch = Watch()

    # --- the parameters, once rendered -----------------------------------------------------------------------------

    @property
    def target(self) -> SlotName:
        """The slot that is watched."""
        return slot_name(self.resource_group, self.app_name, self.slot_name)

    @property
    def rule(self) -> SettleRule:
        """Zeros in a row and the time between them."""
        return SettleRule(self.zeros, timedelta(seconds=as_number("settle_seconds", self.settle_seconds)))

    def deadline(self, context: Context) -> datetime:
        """The absolute deadline, kept over retries in the task's state store."""
        store = context.get("task_state_store")
        kept = store.get(DEADLINE_KEY) if store is not None else None
        if kept:
            return datetime.fromisoformat(str(kept))
        minutes = as_number("drain_deadline_minutes", self.drain_deadline_minutes)
        deadline = utcnow() + timedelta(minutes=minutes)
        if self.window_end:
            deadline = min(deadline, datetime.fromisoformat(self.window_end))
        if store is not None:
            store.set(DEADLINE_KEY, deadline.isoformat())
        return deadline

    # --- Airflow's steps -------------------------------------------------------------------------------------------

    def execute(self, context: Context) -> Any:
        """Look once; return, defer to the trigger, or (not deferrable) poke on in this slot of the worker."""
        return guarded(context, self._start)

    def _start(self, context: Context) -> Any:
        as_choice("before_swap", self.before_swap, (DRAINED, HANDOVER))
        as_choice("on_drain_deadline", self.on_deadline, (FAIL, HANDOVER, TERMINATE))
        as_choice("status_source", self.status_source, STATUS_SOURCES)
        deadline, rule, pause = self.deadline(context), self.rule, as_poll_seconds(self.poll_seconds)
        seen = self._look()
        if self.before_swap == HANDOVER:
            return self._hand_over(seen, deadline)
        gate = decide(seen.watch, self.rule, now=utcnow(), deadline=deadline)
        if gate is not Gate.WAIT:
            return self._finish(context, _event(gate, seen, deadline))
        self._watch = seen.watch
        self.log.info(
            "Waiting for %s to drain until %s: %s%s (%s)",
            self.target.label,
            _clock(deadline),
            seen.reason,
            seen.watch.settling.still_wanted(self.rule),
            seen.binding,
        )
        if not self.deferrable:
            self.poke_interval = pause
            return super().execute(context)
        waiting = watch_until(
            deadline,
            now=utcnow(),
            azure_conn_id=self.azure_conn_id,
            target=self.target,
            poll_seconds=pause,
            rule=rule,
            status_source=self.status_source,
            accept_never_started=self.never_started == "accept",
            watch=seen.watch,
        )
        self.defer(method_name="execute_complete", **waiting)
        return None  # defer has raised

    def poke(self, context: Context) -> PokeReturnValue:
        """One look, for those who do not defer."""
        deadline = self.deadline(context)
        seen = self._look()
        self._watch = seen.watch
        gate = decide(seen.watch, self.rule, now=utcnow(), deadline=deadline)
        if gate is Gate.WAIT:
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(True, self._finish(context, _event(gate, seen, deadline)))

    def execute_complete(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Resume after the trigger's event."""
        return guarded(context, self._complete, event)

    def _complete(self, context: Context, event: Mapping[str, Any] | None) -> Any:
        if not event or event.get("status") == ERROR:
            # The deadline is kept for the retry.
            raise Unknown(
                f"Watching {self.target.label} was interrupted", found=str((event or {}).get("message", "no event"))
            )
        return self._finish(context, event)

    # --- one look and its consequences -----------------------------------------------------------------------------

    def drain(self) -> SlotDrain:
        """What is watched (a seam for tests)."""
        return SlotDrain(
            AzureHook(self.azure_conn_id),
            self.target,
            status_source=self.status_source,
            accept_never_started=self.never_started == "accept",
        )

    def _look(self) -> Observed:
        async def look() -> Observed:
            async with self.drain() as drain:
                return await drain.prove(self._watch)

        return asyncio.run(look())

    def _hand_over(self, seen: Observed, deadline: datetime) -> dict[str, Any]:
        self.log.info(
            "%s: not waiting, the release hands over at once (before_swap = handover). In flight now: %s",
            self.target.label,
            seen.reason,
        )
        return self._result(HANDOVER, _event(Gate.OPEN, seen, deadline))

    def _finish(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        # The wait is over either way: one that a person starts again by clearing the task gets a deadline of its own.
        if (store := context.get("task_state_store")) is not None:
            store.delete(DEADLINE_KEY)
        deadline = datetime.fromisoformat(str(event["deadline"]))
        for warning in event.get("warnings") or ():
            self.log.warning("%s: %s", self.target.label, warning)
        if event["status"] == OPEN:
            self.log.info("%s has drained: %s (%s)", self.target.label, event["reason"], event["hub"])
            return self._result(DRAINED, event)
        passed = DeadlinePassed(
            f"{self.target.label} had not drained by {_clock(deadline)}",
            expected=f"{self.zeros} proofs of zero, {self.rule.apart.total_seconds():.0f} s apart",
            found=blockers(event),
            do="look at the instances named, let them finish or end them, then start the release again",
        )
        if self._window_closes(deadline):
            self.log.warning("The release window closed before %s had drained: %s", self.target.label, passed)
            raise AirflowSkipException(f"The release window closed at {_clock(deadline)}: {passed}")
        if self.on_deadline == FAIL:
            raise passed
        self.log.warning("%s. The release goes on by the policy on_drain_deadline = %s", passed, self.on_deadline)
        return self._result(self.on_deadline, event)

    def _window_closes(self, deadline: datetime) -> bool:
        return bool(self.window_end) and deadline == datetime.fromisoformat(self.window_end)

    def _result(self, outcome: str, event: Mapping[str, Any]) -> dict[str, Any]:
        kept = ("state", "reason", "hub", "began", "evidence", "watch", "deadline")
        closes = self._window_closes(datetime.fromisoformat(str(event["deadline"])))
        return {"outcome": outcome, **{key: event.get(key) for key in kept}, "window_closes": closes}


def blockers(event: Mapping[str, Any]) -> str:
    """Who keeps a hub from draining, with their age: for the message of a deadline."""
    evidence = event.get("evidence") or {}
    named = [
        f"{one.get('name') or 'an orchestration'} {one['instance_id']} ({one.get('status', '?')}"
        + (f", {_age(float(one['age_seconds']))} old)" if "age_seconds" in one else ")")
        for one in evidence.get("blockers") or ()
    ]
    text = f"{event.get('state')}: {event.get('reason')} in {event.get('hub')}"
    return text + (f"; oldest: {'; '.join(named)}" if named else "")


def _age(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {int(seconds) % 60} s"


def _event(gate: Gate, seen: Observed, deadline: datetime) -> dict[str, Any]:
    return gate_event(OPEN if gate is Gate.OPEN else DEADLINE, seen, deadline.isoformat())


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
