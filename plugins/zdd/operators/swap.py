"""Swap a verified slot into production, at most once, and swap it back when production does not come up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from zdd.core.gate import HANDOVER
from zdd.core.release import Marker, ReleaseState
from zdd.core.release_plan import Act, Decision, plan_swap, plan_swap_back
from zdd.core.slot_view import same_hub
from zdd.core.storage_reference import same_account
from zdd.exceptions import BadInput, Conflict, ReleaseFailed
from zdd.hooks.function_app import SwapDidNotHappen, SwapStarted
from zdd.hooks.slot_reader import SlotName
from zdd.operators.base import LOCK_TASK, ReleaseOperator, as_bool
from zdd.operators.deploy import FAILED, SUCCEEDED, UNDONE, intent_of
from zdd.operators.gate import GatedOperator
from zdd.operators.package import INSPECT_TASK

if TYPE_CHECKING:
    from airflow.sdk import Context

SWAP, SWAP_BACK = "swap", "swap back"
LOOKS = 6


class _Swapper(ReleaseOperator):
    """What both directions share: the loop of looking, deciding and doing that never swaps twice."""

    action: str

    def mine(self, context: Context) -> Marker:
        """The marker of this release."""
        inspected = self.result_of(context, INSPECT_TASK) or {}
        return Marker(self.release_id(context), str(inspected.get("sha256")), str(inspected.get("version")))

    def decide(self, mine: Marker) -> tuple[Decision, str | None]:
        """What is to be done now, and the token of a swap that was started."""
        recorded = self.store.intent(self.app_key, mine.release_id, self.action)
        plan = plan_swap if self.action == SWAP else plan_swap_back
        decision = plan(
            mine,
            production=self.apps.marker(self.production),
            staging=self.apps.marker(self.staging),
            intent=intent_of(recorded),
            has_token=bool(recorded and recorded.token),
            operation=self.apps.operation(self.staging),
        )
        return decision, recorded.token if recorded else None

    def start(self, context: Context, mine: Marker, evidence: Mapping[str, Any]) -> None:
        """Record the intent and send the one request that swaps; the token is kept before anything is waited for."""
        self.store.touch(self.held_lock(context), f"{self.action} of {self.app_name}")
        self.store.intend(self.app_key, mine.release_id, self.action, evidence)
        started = self.apps.start_swap(self.staging)
        self.store.keep_token(self.app_key, mine.release_id, self.action, started.token)
        self.wait(mine, started.token)

    def wait(self, mine: Marker, token: str) -> None:
        """Wait for a swap that was started, and record its end."""
        try:
            self.apps.await_swap(self.staging, SwapStarted(token))
        except (SwapDidNotHappen, BadInput) as error:
            self.store.conclude(self.app_key, mine.release_id, self.action, FAILED, {"error": str(error)})
            raise
        self.store.conclude(self.app_key, mine.release_id, self.action, SUCCEEDED)

    def settle(self, context: Context, mine: Marker, prepare: Any) -> bool:
        """Look and act until the release is where it belongs. True when this try started the swap itself."""
        did = False
        for _ in range(LOOKS):
            decision, token = self.decide(mine)
            self.log.info("%s of %s: %s", self.action.capitalize(), self.app_name, decision.reason)
            if decision.act is Act.DONE:
                recorded = self.store.intent(self.app_key, mine.release_id, self.action)
                if recorded is not None and recorded.result != SUCCEEDED:
                    self.store.conclude(self.app_key, mine.release_id, self.action, SUCCEEDED)
                return did
            if decision.act is Act.CONFLICT:
                raise ReleaseFailed(
                    "The slots are not as this release left them",
                    found=decision.reason,
                    do="look at both slots; start the release again when they are as they should be",
                )
            if decision.act is Act.WAIT:
                self.apps.wait_until_idle(self.staging)
            elif decision.act is Act.RESUME and token:
                self.wait(mine, token)
            elif did:
                # Accepted, ended, and yet not where it belongs: another try would only repeat it.
                raise ReleaseFailed(
                    f"The {self.action} ended, but the release is not where it should be", found=decision.reason
                )
            else:
                self.start(context, mine, prepare())
                did = True
        raise Conflict(f"The {self.action} of {self.app_name} does not come to rest", do="the retry looks again")

    def reach(self) -> str:
        """How clients reach instances that have stayed behind in the slot, once the swap is over (promise S5)."""
        production, staging = self.apps.read_binding(self.production), self.apps.read_binding(self.staging)
        host = self.apps.site(self.staging).default_host_name
        if production is not None and staging is not None:
            hub = staging.binding.hub_name
            if same_account(production.binding.storage, staging.binding.storage):
                return f"through production by their own management URLs (taskHub={hub}), or at {host}"
            return f"at {host} only: the hubs are in two accounts"
        return f"at {host}"


class SwapSlotsOperator(_Swapper, GatedOperator):
    """Swaps the slot into production, after the second proof of zero, made by this very task (promise S2).

    A retry resumes the swap that was started by its kept token; without one it reads the markers of both slots. A
    handover (by `before_swap`, or by the policy at the deadline) needs no proof, but two separate hubs and the word
    that events still reach the instances that stay behind.
    """

    template_fields: Sequence[str] = (*GatedOperator.template_fields, "events_reach_staging")
    action = SWAP

    def __init__(self, *, events_reach_staging: bool | str = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.events_reach_staging = events_reach_staging

    @property
    def gated(self) -> SlotName:
        """Production must have drained."""
        return self.production

    def act(self, context: Context) -> dict[str, Any]:
        """Prove, swap, wait."""
        mine, gate = self.mine(context), self.gate(context)
        started = time.monotonic()
        evidence: dict[str, Any] = {}

        def prepare() -> Mapping[str, Any]:
            evidence.update(self._open_gate(gate))
            self.store.record_release(self.app_key, mine.release_id, ReleaseState.SWAPPING)
            return evidence

        self.settle(context, mine, prepare)
        seconds = round(time.monotonic() - started, 1)
        self.store.record_release(self.app_key, mine.release_id, ReleaseState.VERIFYING)
        self.log.info(
            "Swapped: production of %s holds version %s (%.1f s). %s",
            self.app_name,
            mine.version,
            seconds,
            f"Proof: {evidence['reason']}" if evidence else "The swap had been made by an earlier try",
        )
        return {
            "swapped": True,
            "outcome": gate.get("outcome"),
            "proof": evidence or None,
            "stragglers_reached_by": self.reach(),
            "seconds": seconds,
        }

    def _open_gate(self, gate: Mapping[str, Any]) -> dict[str, Any]:
        """The last proof before the request. Defers when work has come in; raises when the policy forbids the swap."""
        if gate.get("outcome") == HANDOVER:
            self._check_handover()
            seen = self.prove(gate)
            self.log.warning("Handing over with work in flight in production: %s", seen.reason)
            return {"handover": True, "reason": seen.reason, "hub": seen.binding, "evidence": dict(seen.evidence)}
        seen = self.prove(gate)
        if not seen.zero or not seen.watch.settling.settled(self.rule):
            self.wait_again(gate, seen)
        settling = seen.watch.settling
        return {
            "handover": False,
            "reason": seen.reason,
            "hub": seen.binding,
            "began": seen.began.isoformat(),
            "zeros": settling.zeros,
            "first_zero_at": settling.first_zero_at.isoformat() if settling.first_zero_at else None,
        }

    def _check_handover(self) -> None:
        if not as_bool("events_reach_staging", self.events_reach_staging):
            raise BadInput(
                "A handover leaves instances behind in the slot",
                expected="events_reach_staging: yes",
                found="no",
                do="say yes when external events find instances in the slot, or wait until production has drained",
            )
        production, staging = self.apps.read_binding(self.production), self.apps.read_binding(self.staging)
        if production is None or staging is None or same_hub(production.binding, staging.binding) is not False:
            raise BadInput(
                "A handover needs two separate task hubs",
                expected="another hub name or another account in each slot",
                found=" and ".join(bound.binding.fingerprint() if bound else "none" for bound in (production, staging)),
                do="give each slot's code a hub of its own, by a setting that is not sticky",
            )


class SwapBackOperator(_Swapper):
    """Swaps back when production was not verified. It is a handover: exempt from proofs, and reported so.

    Does nothing (skipped) when this release is not in production.
    """

    action = SWAP_BACK

    def act(self, context: Context) -> dict[str, Any]:
        """Swap back if there is something to swap back."""
        if not self.result_of(context, LOCK_TASK) or not self.result_of(context, INSPECT_TASK):
            raise AirflowSkipException("Nothing was swapped by this release")
        mine = self.mine(context)
        recorded = self.store.intent(self.app_key, mine.release_id, SWAP)
        if recorded is None or recorded.result == UNDONE:
            raise AirflowSkipException("Nothing was swapped by this release")
        self.apps.wait_until_idle(self.staging)
        back = self.store.intent(self.app_key, mine.release_id, SWAP_BACK)
        if self.apps.marker(self.production) != mine and back is None:
            raise AirflowSkipException("This release is not in production: there is nothing to swap back")
        started = time.monotonic()
        self.settle(context, mine, lambda: {"handover": True, "reason": "production was not verified"})
        self.store.conclude(self.app_key, mine.release_id, SWAP, UNDONE)
        self.store.record_release(
            self.app_key, mine.release_id, ReleaseState.ROLLED_BACK, reason="production was not verified"
        )
        seconds = round(time.monotonic() - started, 1)
        self.log.warning(
            "Swapped back: production of %s runs the version before again; version %s and what it has started are in "
            "%s (%.1f s). This was a handover: instances in flight were not waited for",
            self.app_name,
            mine.version,
            self.staging.label,
            seconds,
        )
        return {
            "swapped_back": True,
            "handover": True,
            "stragglers_reached_by": self.reach(),
            "seconds": seconds,
        }
