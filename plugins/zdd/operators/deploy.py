"""Deploy a package to a slot whose code has drained."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zdd import settings
from zdd.core.package import inspect_package
from zdd.core.release import Marker, ReleaseState
from zdd.core.release_plan import Act, Intent, Operation, plan_deploy
from zdd.exceptions import BadInput, Conflict, ReleaseFailed, ZddError
from zdd.hooks.deployment import Deployment, DeploymentHook, DeployStatus
from zdd.hooks.packages import open_package
from zdd.hooks.release_store import Intent as Recorded
from zdd.hooks.slot_reader import SlotName
from zdd.operators.gate import GatedOperator
from zdd.operators.package import INSPECT_TASK

if TYPE_CHECKING:
    from airflow.sdk import Context

DEPLOY = "deploy"
# Results of an intent in the store.
SUCCEEDED, FAILED, UNDONE = "done", "failed", "undone"
DONE = "done"


class DeployToSlotOperator(GatedOperator):
    """Overwrites the code of a slot, after a proof of its own that nothing of that code is in flight (promise S1).

    Safe to run again: what this release has deployed and marked is left alone, a deployment that is under way is
    followed and not pushed twice. The marker (release id, sha256, version) is set after the deployment has been
    verified, never before.
    """

    template_fields: Sequence[str] = (*GatedOperator.template_fields, "package")

    def __init__(self, *, package: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.package = package

    @property
    def gated(self) -> SlotName:
        """The slot that is overwritten."""
        return self.staging

    def act(self, context: Context) -> dict[str, Any]:
        """Prove, push, follow, verify, mark."""
        inspected = self.result_of(context, INSPECT_TASK) or {}
        sha256, version = str(inspected.get("sha256")), str(inspected.get("version"))
        release_id, lock = self.release_id(context), self.held_lock(context)
        mine = Marker(release_id, sha256, version)
        started = time.monotonic()
        endpoint = DeploymentHook(self.azure, self.staging)
        message = f"zdd {release_id} {sha256[:12]}"
        deployment_id = self._under_way(endpoint, mine, message)
        if deployment_id == DONE:
            return {"slot": self.staging.label, "sha256": sha256, "deployed": False}
        with open_package(self.package, storage_conn_id=self.storage_conn_id) as path:
            self._same_content(path, sha256)
            host_json = inspect_package(path).host_json
            proof = None
            if deployment_id is None:
                gate = self.gate(context)
                seen = self.prove(gate)
                if not seen.zero:
                    self.wait_again(gate, seen)
                proof = {"reason": seen.reason, "hub": seen.binding, "began": seen.began.isoformat()}
                self.store.touch(lock, f"deploying to {self.staging.label}")
                self._undo_preview()
                self.store.intend(self.app_key, release_id, DEPLOY, {"sha256": sha256, "proof": proof})
                deployment_id = endpoint.push(path, message=message)
                self.store.keep_token(self.app_key, release_id, DEPLOY, deployment_id)
        try:
            endpoint.follow(deployment_id, lambda text: self.log.info("%s: %s", self.staging.label, text))
            self._verify_content(host_json)
        except ReleaseFailed:
            self.store.conclude(self.app_key, release_id, DEPLOY, FAILED, {"deployment": deployment_id})
            raise
        self.store.touch(lock, f"marking {self.staging.label}")
        self.apps.set_app_settings(self.staging, mine.to_settings())
        seconds = round(time.monotonic() - started, 1)
        self.store.conclude(self.app_key, release_id, DEPLOY, SUCCEEDED, {"deployment": deployment_id})
        self.store.record_release(self.app_key, release_id, ReleaseState.DEPLOYED, deployed=True)
        self.log.info(
            "Version %s is deployed to %s (deployment %s, %.1f s)", version, self.staging.label, deployment_id, seconds
        )
        return {
            "slot": self.staging.label,
            "sha256": sha256,
            "deployed": True,
            "deployment": deployment_id,
            "proof": proof,
            "seconds": seconds,
        }

    def _same_content(self, path: Path, sha256: str) -> None:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            raise BadInput(
                f"The package {self.package} has changed since it was inspected",
                expected=f"sha256 {sha256}",
                found=f"sha256 {found}",
                do="start the release again with a package that stays as it is",
            )

    def _under_way(self, endpoint: DeploymentHook, mine: Marker, message: str) -> str | None:
        """Id of the deployment of an earlier try that is to be followed, DONE when nothing is left to do, else None."""
        recorded = self.store.intent(self.app_key, mine.release_id, DEPLOY)
        found = None
        if recorded is not None and recorded.result is None:
            found = endpoint.status(recorded.token) if recorded.token else endpoint.find(message)
        decision = plan_deploy(
            mine,
            production=self.apps.marker(self.production),
            staging=self.apps.marker(self.staging),
            intent=intent_of(recorded),
            has_id=found is not None,
            operation=_operation(found),
        )
        self.log.info("Deployment to %s: %s", self.staging.label, decision.reason)
        if decision.act is Act.DONE:
            return DONE
        if decision.act is Act.RESUME and found is not None:
            return found.id
        if decision.act is Act.DO:
            return None
        if decision.act is Act.CONFLICT:
            raise ReleaseFailed("The slots are not as this release left them", found=decision.reason)
        raise Conflict("The slot is not free for a deployment", found=decision.reason, do="the retry looks again")

    def _undo_preview(self) -> None:
        for name in (self.staging, self.production):
            if self.apps.site(name).target_swap_slot:
                self.log.warning("%s was left in a swap preview by somebody: it is reset", name.label)
                self.apps.reset_preview(name)

    _sleep: Callable[[float], None] = staticmethod(time.sleep)

    def _verify_content(self, expected: bytes) -> None:
        """The deployed host.json is the package's: what runs there is what was pushed, not an older mount."""
        deadline = time.monotonic() + settings.verify_timeout().total_seconds()
        while True:
            try:
                found = self.apps.host_json(self.staging)
                problem = "another host.json" if found else "no host.json"
            except ZddError as error:
                found, problem = None, str(error)
            if found == expected:
                return
            if time.monotonic() > deadline:
                raise ReleaseFailed(
                    f"The deployment to {self.staging.label} succeeded, but the slot holds something else",
                    expected="the package's host.json",
                    found=problem,
                    do="look whether something else deploys to this slot (auto swap, a package by URL)",
                )
            self._sleep(settings.arm_poll_seconds())


def intent_of(recorded: Recorded | None) -> Intent:
    """The store's record in the words of the plan."""
    if recorded is None or recorded.result == UNDONE:
        return Intent.NONE
    if recorded.result is None:
        return Intent.STARTED
    return Intent.SUCCEEDED if recorded.result == SUCCEEDED else Intent.FAILED


def _operation(found: Deployment | None) -> Operation:
    if found is None:
        return Operation.NONE
    if not found.status.is_terminal:
        return Operation.RUNNING
    return Operation.SUCCEEDED if found.status is DeployStatus.SUCCESS else Operation.FAILED
