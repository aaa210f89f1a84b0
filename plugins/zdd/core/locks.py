"""One mutator per app: who may take the lock, take it over, or act under it (promise S6). Decisions only, no store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


@dataclass(frozen=True)
class LockRow:
    """The lock row of an app as it was read. An owner of None: it was given back, its epoch lives on."""

    owner: str | None
    epoch: int
    since: datetime
    expires_at: datetime
    doing: str = ""


class LockAct(StrEnum):
    """What a run that wants the lock has to do."""

    TAKE = "take"
    KEEP = "keep"
    TAKE_OVER = "take over"
    REFUSE = "refuse"


@dataclass(frozen=True)
class LockDecision:
    """What to do, under which epoch, and why."""

    act: LockAct
    epoch: int
    reason: str


def decide_lock(row: LockRow | None, owner: str, *, now: datetime) -> LockDecision:
    """Decide about taking the lock. The epoch moves with every change of owner, so that the old one notices.

    A lock is taken over only after its expiry, which lies past the deadline of the run that holds it: no task of that
    run acts any more, and if one does, its check finds the epoch moved.
    """
    if row is None:
        return LockDecision(LockAct.TAKE, 1, "nobody has ever held it")
    if row.owner is None:
        return LockDecision(LockAct.TAKE, row.epoch + 1, "it is free")
    if row.owner == owner:
        return LockDecision(LockAct.KEEP, row.epoch, "this run holds it already (a retry)")
    if row.expires_at <= now:
        return LockDecision(LockAct.TAKE_OVER, row.epoch + 1, f"the lock of {row.owner} expired at {row.expires_at}")
    minutes = max(0, (now - row.since) // timedelta(minutes=1))
    doing = f", last doing: {row.doing}" if row.doing else ""
    return LockDecision(
        LockAct.REFUSE,
        row.epoch,
        f"{row.owner} holds it since {row.since.isoformat()} ({minutes} min){doing}, "
        f"until {row.expires_at.isoformat()} at the latest",
    )


def why_not_act(row: LockRow | None, owner: str, epoch: int, *, now: datetime) -> str | None:
    """Why a mutating call must not be made under this lock; None when it may."""
    if row is None or row.owner is None:
        return "nobody holds the lock: it was given back"
    if row.owner != owner or row.epoch != epoch:
        return f"{row.owner} holds the lock now (epoch {row.epoch}, this run had {epoch})"
    if row.expires_at <= now:
        return f"the lock expired at {row.expires_at.isoformat()}"
    return None


def lock_expiry(deadline: datetime, *, margin: timedelta = timedelta(hours=1)) -> datetime:
    """When a lock has to expire: past the run's deadline, since nothing renews it while sensors are deferred."""
    return deadline + margin
