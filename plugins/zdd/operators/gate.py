"""The last proof: an operator that overwrites or swaps code proves itself, right before, that the hub has drained."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowSkipException

from zdd.core.gate import SettleRule, Watch
from zdd.exceptions import BadInput, DeadlinePassed, Unknown
from zdd.hooks.slot_drain import TABLES, Observed, SlotDrain, utcnow
from zdd.hooks.slot_reader import SlotName
from zdd.operators.base import ReleaseOperator, as_number, as_poll_seconds, guarded
from zdd.triggers.task_hub import ERROR, OPEN, watch_until

if TYPE_CHECKING:
    from airflow.sdk import Context


class GatedOperator(ReleaseOperator):
    """Acts on a slot only after a proof of its own; work that came in since the sensor sends it back to waiting.

    :param gate_task_ids: tasks whose results open the gate, the later one first.
    """

    template_fields: Sequence[str] = (
        *ReleaseOperator.template_fields,
        "settle_seconds",
        "poll_seconds",
        "status_source",
        "never_started",
    )

    def __init__(
        self,
        *,
        gate_task_ids: Sequence[str],
        settle_seconds: float | str = 10,
        poll_seconds: float | str = 15,
        status_source: str = TABLES,
        never_started: str = "refuse",
        zeros: int = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.gate_task_ids = gate_task_ids
        self.settle_seconds = settle_seconds
        self.poll_seconds = poll_seconds
        self.status_source = status_source
        self.never_started = never_started
        self.zeros = zeros
        self._watch: Watch | None = None

    @property
    def gated(self) -> SlotName:
        """The slot whose hub must have drained; overridden."""
        raise NotImplementedError

    @property
    def rule(self) -> SettleRule:
        """Zeros in a row and the time between the first and the last."""
        return SettleRule(self.zeros, timedelta(seconds=as_number("settle_seconds", self.settle_seconds)))

    def gate(self, context: Context) -> Mapping[str, Any]:
        """What the wait before this task came to. Raises BadInput when there was none."""
        for task_id in self.gate_task_ids:
            if result := self.result_of(context, task_id):
                return dict(result)
        raise BadInput(
            "This task runs without the wait before it",
            expected=f"a result of {' or '.join(self.gate_task_ids)}",
            found="none",
            do="clear the waiting task too, or start the release again",
        )

    def drain(self) -> SlotDrain:
        """What is watched (a seam for tests)."""
        return SlotDrain(
            self.azure,
            self.gated,
            status_source=self.status_source,
            accept_never_started=self.never_started == "accept",
        )

    def prove(self, gate: Mapping[str, Any]) -> Observed:
        """A complete proof, the binding read again, going on from what the wait has learned."""

        async def proof() -> Observed:
            async with self.drain() as drain:
                watch = self._watch if self._watch is not None else Watch.from_json(gate.get("watch"))
                return await drain.prove(watch)

        return asyncio.run(proof())

    def wait_again(self, gate: Mapping[str, Any], seen: Observed) -> NoReturn:
        """Defer until the hub has settled once more; the deadline of the wait before stays the deadline."""
        deadline = datetime.fromisoformat(str(gate["deadline"]))
        if utcnow() >= deadline:
            raise self.too_late(gate, seen.reason)
        self.log.info(
            "%s has work again since the wait ended (%s): waiting on until %s",
            self.gated.label,
            seen.reason,
            deadline.isoformat(timespec="seconds"),
        )
        waiting = watch_until(
            deadline,
            now=utcnow(),
            azure_conn_id=self.azure_conn_id,
            target=self.gated,
            poll_seconds=as_poll_seconds(self.poll_seconds),
            rule=self.rule,
            status_source=self.status_source,
            accept_never_started=self.never_started == "accept",
            watch=seen.watch,
        )
        self.defer(method_name="resume", **waiting)

    def resume(self, context: Context, event: Mapping[str, Any] | None = None) -> Any:
        """Go on after another wait: with a proof again, since the trigger's was not made by the task that acts."""
        status = (event or {}).get("status", ERROR)
        if status == ERROR:
            raise Unknown(f"Watching {self.gated.label} was interrupted", found=str((event or {}).get("message")))
        assert event is not None
        self._watch = Watch.from_json(event.get("watch"))
        if status != OPEN:
            return guarded(context, self.deadline_passed, event)
        return guarded(context, self.act)

    def deadline_passed(self, context: Context, event: Mapping[str, Any]) -> Any:
        """The second wait ended at its deadline."""
        raise self.too_late(self.gate(context), str(event.get("reason")))

    def too_late(self, gate: Mapping[str, Any], reason: str) -> DeadlinePassed | AirflowSkipException:
        """The error of a deadline that passed between the wait and the act; a window that closes ends without one."""
        deadline = datetime.fromisoformat(str(gate["deadline"]))
        passed = DeadlinePassed(
            f"{self.gated.label} had work again when it was to be changed, and the deadline has passed",
            expected=f"a drained hub by {deadline.isoformat(timespec='seconds')}",
            found=reason,
            do="look at the instances named, then start the release again",
        )
        return AirflowSkipException(f"The release window closed: {passed}") if gate.get("window_closes") else passed
