"""End the instances that block a gate: a policy that a person has approved, never a default."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from zdd.core.gate import TERMINATE
from zdd.exceptions import BadInput, ReleaseFailed
from zdd.hooks.slot_drain import utcnow
from zdd.hooks.slot_reader import DURABLE_KEY, SlotName, SlotReader, slot_name
from zdd.operators.gate import GatedOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from zdd.core.instances import InstanceRow

TERMINATED = "terminated"
ROUNDS = 5
REASON = "ended by a release, approved by a person"
# What was terminated leaves timers and messages behind, which only a quiet window of some ten minutes explains.
TIME_TO_SETTLE = timedelta(minutes=45)
NAMED = 20


class TerminateInstancesOperator(GatedOperator):
    """Terminates what is in flight in the hub of a slot's code, looks again, and repeats until nothing is left.

    :param terminate_in: the slot, or `production`.
    :param approval_task_id: task in which a person has approved it; without that nothing is touched.
    """

    template_fields: Sequence[str] = (*GatedOperator.template_fields, "terminate_in")

    def __init__(self, *, terminate_in: str, approval_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.terminate_in = terminate_in
        self.approval_task_id = approval_task_id

    @property
    def gated(self) -> SlotName:
        """The slot whose instances are ended."""
        return slot_name(self.resource_group, self.app_name, self.terminate_in)

    def act(self, context: Context) -> dict[str, Any]:
        """Terminate, verify, repeat."""
        gate = self.gate(context)
        if gate.get("outcome") != TERMINATE:
            raise AirflowSkipException("The wait has ended by itself: there is nothing to terminate")
        approval = self.result_of(context, self.approval_task_id) or {}
        if not approval.get("approved"):
            raise BadInput(
                "Terminating needs a person's approval",
                expected=f"an approval in task {self.approval_task_id}",
                found="none",
                do="approve, or choose another policy for the deadline",
            )
        self.store.touch(self.held_lock(context), f"terminating instances of {self.gated.label}")
        ended, left = asyncio.run(self._terminate())
        if left:
            raise ReleaseFailed(
                f"Not every instance of {self.gated.label} could be terminated",
                expected="nothing in flight",
                found=f"{len(left)} still in flight: {', '.join(left[:NAMED])}",
                do="look at these instances; end them by hand, then start the release again",
            )
        self.log.warning(
            "%d instance(s) of %s were terminated, approved by %s: %s",
            len(ended),
            self.gated.label,
            approval.get("by") or "a person",
            ", ".join(ended[:NAMED]) + (" …" if len(ended) > NAMED else ""),
        )
        return {
            "outcome": TERMINATED,
            "terminated": len(ended),
            "instances": ended[:NAMED],
            "hub": gate.get("hub"),
            "watch": gate.get("watch"),
            "deadline": (utcnow() + TIME_TO_SETTLE).isoformat(),
        }

    async def _terminate(self) -> tuple[list[str], list[str]]:
        from zdd.hooks.management_api import ManagementApi

        async with self.azure.reader() as arm:
            reader = SlotReader(arm, self.gated)
            site, key = await asyncio.gather(reader.site(), reader.key("systemKeys", DURABLE_KEY))
        ended: dict[str, None] = {}
        async with ManagementApi(f"{self.azure.account.scheme}://{site['defaultHostName']}", key) as api:
            for _ in range(ROUNDS):
                live = _orchestrations(await api.live_instances())
                if not live:
                    return list(ended), []
                report = await api.terminate(live, REASON)
                ended |= dict.fromkeys(report.ended)
            return list(ended), _orchestrations(await api.live_instances())


def _orchestrations(found: tuple[tuple[InstanceRow, ...], int]) -> list[str]:
    """Ids of what is in flight; entities live for ever and are not touched."""
    return [row.instance_id for row in found[0] if not row.is_entity]
