"""Lock and unlock an app: setup and teardown of every release."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from zdd import settings
from zdd.core.locks import lock_expiry
from zdd.core.release import ReleaseState
from zdd.exceptions import BadInput
from zdd.hooks.release_store import app_key, utcnow
from zdd.operators.base import LOCK_TASK, ReleaseOperator, as_number

if TYPE_CHECKING:
    from airflow.sdk import Context

GATES = 2
MARGIN = timedelta(hours=2)


def owner_of(context: Context) -> str:
    """Who holds a lock: the run, in words that a person can look up."""
    run = context["dag_run"]
    return f"{run.dag_id} / {run.run_id}"


def release_id_of(owner: str) -> str:
    """Id of a run's release: the same for every try of it, short enough for an app setting and a deployment message."""
    return "r" + hashlib.sha256(owner.encode()).hexdigest()[:15]


class LockAppOperator(ReleaseOperator):
    """Takes the app's lock for this run. Its result carries the release id and the lock's epoch to every other task.

    Nothing renews the lock while triggers wait, so it expires past everything that the run may wait for.

    :param approvals: how many times the run may wait for a person.
    """

    template_fields: Sequence[str] = (
        *ReleaseOperator.template_fields,
        "drain_deadline_minutes",
        "approvals",
        "purpose",
    )

    def __init__(
        self,
        *,
        drain_deadline_minutes: float | str = 60,
        approvals: int | str = 0,
        purpose: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.approvals = approvals
        self.drain_deadline_minutes = drain_deadline_minutes
        self.purpose = purpose

    def act(self, context: Context) -> dict[str, Any]:
        """Take the lock, or take it again in a retry."""
        if not self.resource_group.strip() or not self.app_name.strip():
            raise BadInput("No app is named", expected="resource group and app name", found="an empty parameter")
        target = self.staging
        waiting = timedelta(minutes=as_number("drain_deadline_minutes", self.drain_deadline_minutes))
        people = as_number("approvals", self.approvals) * settings.approval_timeout()
        deadline = utcnow() + GATES * waiting + people + 3 * settings.deployment_timeout()
        owner = owner_of(context)
        lock = self.store.lock(
            self.app_key, owner, expires_at=lock_expiry(deadline, margin=MARGIN), purpose=self.purpose
        )
        release_id = release_id_of(owner)
        self.store.record_release(self.app_key, release_id, ReleaseState.STARTED, owner=owner, purpose=self.purpose)
        if lock.taken_from:
            self.log.warning("The lock of %s had expired in the hands of %s", self.app_name, lock.taken_from)
        self.log.info(
            "%s is locked for release %s by %s until %s at most (epoch %d)",
            target.app,
            release_id,
            owner,
            lock.expires_at.isoformat(timespec="minutes"),
            lock.epoch,
        )
        return {"release_id": release_id, "app_key": self.app_key, "lock": lock.to_json()}


class UnlockAppOperator(ReleaseOperator):
    """Gives the app's lock back, and only this run's: never one that another run has taken since."""

    def act(self, context: Context) -> dict[str, Any]:
        """Give it back."""
        locked = self.result_of(context, LOCK_TASK)
        key = (
            str(locked["app_key"])
            if locked
            else app_key(self.azure.account.subscription_id, self.resource_group, self.app_name)
        )
        epoch = int(locked["lock"]["epoch"]) if locked else None
        freed = self.store.unlock(key, owner_of(context), epoch)
        if freed:
            self.log.info("%s is unlocked", self.app_name)
        else:
            holder = self.store.holder(key)
            self.log.warning(
                "The lock of %s was no longer this run's and was left as it is: %s",
                self.app_name,
                f"{holder.owner} holds it since {holder.since.isoformat()}" if holder else "nobody holds it",
            )
        return {"unlocked": freed}
