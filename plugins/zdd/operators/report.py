"""The last task of a release: what came of it, in one line, in the store, and as the state of the run (promise L2)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zdd.core.gate import Watch
from zdd.core.release import ReleaseState
from zdd.exceptions import ReleaseFailed, ZddError
from zdd.hooks.slot_drain import Observed, SlotDrain
from zdd.operators.approval import NOT_ASKED
from zdd.operators.base import LOCK_TASK, ReleaseOperator
from zdd.operators.package import INSPECT_TASK

if TYPE_CHECKING:
    from airflow.sdk import Context

LIVE, ROLLED_BACK, STOPPED = ReleaseState.LIVE.value, ReleaseState.ROLLED_BACK.value, ReleaseState.STOPPED.value
NOTHING = "nothing to release"
# States of a task that ended the release there; upstream_failed tasks only repeat it.
FAILED_STATES = ("failed", "shutdown", "removed")


@dataclass(frozen=True)
class Ending:
    """How a release ended, at which task, and in words."""

    outcome: str
    task_id: str | None
    text: str


def ending_of(states: Mapping[str, str | None], *, swap: str, verify: str, swap_back: str) -> Ending:
    """How a release ended, from the states of its tasks in the order in which they run."""
    failed = next((task for task, state in states.items() if state in FAILED_STATES), None)
    if states.get(swap_back) == "success":
        return Ending(ROLLED_BACK, failed, f"{failed or verify} failed, production was swapped back")
    if states.get(verify) == "success":
        return Ending(LIVE, None, "production runs the package")
    if failed:
        return Ending(STOPPED, failed, f"failed at {failed}")
    if states.get(swap) == "skipped":
        # A task that was skipped though the one before it had succeeded skipped itself, and left its reason.
        return Ending(NOTHING, None, "ended without a release")
    return Ending(STOPPED, swap, f"{swap} was not reached")


class ReportReleaseOperator(ReleaseOperator):
    """Runs whatever happened before it. Succeeds when the release is live or there was nothing to do; fails otherwise.

    :param order: task ids in the order in which they run, for the message.
    """

    def __init__(
        self,
        *,
        order: Sequence[str],
        swap_task: str = "swap",
        verify_task: str = "verify_production",
        swap_back_task: str = "swap_back",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.order = order
        self.swap_task = swap_task
        self.verify_task = verify_task
        self.swap_back_task = swap_back_task

    def act(self, context: Context) -> dict[str, Any]:
        """Say what came of the release."""
        found = self._states(context)
        states = {task: found.get(task) for task in self.order}
        ending = ending_of(states, swap=self.swap_task, verify=self.verify_task, swap_back=self.swap_back_task)
        outcome, reason = ending.outcome, self._reason(context, ending)
        package = self.result_of(context, INSPECT_TASK) or {}
        what = f"{self.app_name} {package.get('version', '')}".strip()
        locked = self.result_of(context, LOCK_TASK)
        if locked:
            self.store.record_release(str(locked["app_key"]), str(locked["release_id"]), outcome, reason=reason)
        stragglers = None
        if outcome == LIVE:
            stragglers = self._stragglers(context, "the code before", self.swap_task)
        elif outcome == ROLLED_BACK:
            stragglers = self._stragglers(context, "the version that was swapped back", self.swap_back_task)
        if outcome in (STOPPED, ROLLED_BACK):
            behind = f"; {stragglers['note']}" if stragglers else ""
            raise ReleaseFailed(
                f"Release of {what}: {outcome}",
                found=reason + behind,
                do="read the log of the task named, then start again",
            )
        if outcome == LIVE:
            self.log.info("Release of %s succeeded: %s", what, reason)
        else:
            self.log.info("No release of %s: %s", what, reason)
        if stragglers:
            self.log.info("%s", stragglers["note"])
        return {"outcome": outcome, "reason": reason, "version": package.get("version"), "stragglers": stragglers}

    def _reason(self, context: Context, ending: Ending) -> str:
        """The ending with the words of the task that brought it."""
        if ending.outcome == LIVE:
            return ending.text
        asked = [ending.task_id] if ending.task_id else self.order
        told = [self.reason_of(context, task_id) for task_id in asked]
        words = [text for text in told if text and text not in NOT_ASKED]
        return f"{ending.text}: {words[0]}" if words else ending.text

    def _states(self, context: Context) -> Mapping[str, str | None]:
        run = context["dag_run"]
        states = context["ti"].get_task_states(dag_id=run.dag_id, run_ids=[run.run_id])
        return dict(states.get(run.run_id) or {})

    def _stragglers(self, context: Context, whose: str, swapped_by: str) -> dict[str, Any]:
        """Count the work that goes on in staging after the last switch, and say how to reach it (promise S5).

        These are starts accepted between the last proof and the switch, or all that was in flight at a handover; after
        a swap back, what the new version has begun in production.
        """
        try:
            seen = asyncio.run(self._look())
        except ZddError as error:
            return {"note": f"What is left in {self.staging.label} could not be read: {error}"}
        count = int(seen.evidence.get("in_flight") or 0)
        swap = self.result_of(context, swapped_by) or {}
        reach = str(swap.get("stragglers_reached_by") or f"through the host of {self.staging.label}")
        note = (
            f"{count} instance(s) of {whose} go on in {self.staging.label} ({seen.reason}), reached {reach}"
            if not seen.zero
            else f"Nothing of {whose} is left in {self.staging.label}: {seen.reason}"
        )
        named = [one.get("instance_id") for one in seen.evidence.get("blockers") or ()]
        return {"in_flight": count, "state": seen.state.value, "oldest": named, "reached": reach, "note": note}

    async def _look(self) -> Observed:
        async with SlotDrain(self.azure, self.staging) as drain:
            return await drain.prove(Watch())
