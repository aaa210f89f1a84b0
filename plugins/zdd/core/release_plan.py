"""What a task that deploys or swaps has to do now, whatever went before: from markers, intent and operation.

A task may run again after a crash at any point. Neither a deployment nor a swap may be done twice: a second swap would
swap back. So nothing is concluded from the task's own memory alone; the markers in both slots say what is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from zdd.core.release import Marker


class Act(StrEnum):
    """What to do now."""

    DO = "do"  # call Azure: deploy or swap
    DONE = "done"  # it is done already: go on with the next step
    RESUME = "resume"  # wait for the operation that this release started, by its token or id
    WAIT = "wait"  # somebody's operation runs, or it cannot be told: look again later
    CONFLICT = "conflict"  # the slots are not as this release left them: stop and say so


class Intent(StrEnum):
    """What the release store says that this release meant and got."""

    NONE = "none"
    STARTED = "started"  # recorded before the call; no result after it
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Operation(StrEnum):
    """What Azure says about an operation (a swap, a deployment) on the app now."""

    NONE = "none"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Decision:
    """What to do and why, in words for the log."""

    act: Act
    reason: str


def plan_swap(
    mine: Marker,
    *,
    production: Marker | None,
    staging: Marker | None,
    intent: Intent = Intent.NONE,
    has_token: bool = False,
    operation: Operation = Operation.NONE,
) -> Decision:
    """Decide about the swap that brings the release `mine` from staging into production.

    :param has_token: whether the continuation token of the swap that this release started is kept.
    :param operation: of any swap on site and slot.
    """
    return _plan_exchange(
        mine, there=production, here=staging, names=("production", "staging"), intent=intent, has_token=has_token,
        operation=operation,
    )  # fmt: skip


def plan_swap_back(
    mine: Marker,
    *,
    production: Marker | None,
    staging: Marker | None,
    intent: Intent = Intent.NONE,
    has_token: bool = False,
    operation: Operation = Operation.NONE,
) -> Decision:
    """Decide about the swap that takes the release `mine` out of production again, into staging."""
    return _plan_exchange(
        mine, there=staging, here=production, names=("staging", "production"), intent=intent, has_token=has_token,
        operation=operation,
    )  # fmt: skip


def _plan_exchange(
    mine: Marker,
    *,
    there: Marker | None,
    here: Marker | None,
    names: tuple[str, str],
    intent: Intent,
    has_token: bool,
    operation: Operation,
) -> Decision:
    """Bring `mine` from the slot where it is (`here`) to where it shall be (`there`), at most once."""
    to, start = names
    is_there, is_here = _is(there, mine), _is(here, mine)
    if operation is Operation.UNKNOWN:
        return Decision(Act.WAIT, "it cannot be told whether a swap runs: unknown is not none")
    if operation is Operation.RUNNING:
        if has_token and intent is Intent.STARTED:
            return Decision(Act.RESUME, "the swap that this release started is still running")
        whose = "this release started one" if intent is Intent.STARTED else "this release started none"
        return Decision(Act.WAIT, f"a swap runs on the app ({whose}): wait for its end, then read both markers")
    if is_there and is_here:
        return Decision(
            Act.CONFLICT, f"both slots carry the marker of {mine}: it is sticky, or somebody copied settings by hand"
        )
    if is_there:
        return Decision(Act.DONE, f"{mine} is in {to}: the swap has been done")
    if not is_here:
        return Decision(
            Act.CONFLICT,
            f"{mine} is in neither slot: {to} holds {_name(there)}, {start} holds {_name(here)}; "
            "somebody deployed or swapped meanwhile",
        )
    if intent is Intent.SUCCEEDED:
        return Decision(Act.CONFLICT, f"{mine} was swapped to {to} and is in {start} again: somebody swapped it back")
    if intent is Intent.STARTED and has_token:
        return Decision(Act.RESUME, "this release started a swap and nobody saw its end: its result is asked for")
    if intent is Intent.STARTED:
        return Decision(Act.DO, f"a swap was meant but {mine} is still in {start} and no swap runs: it is started now")
    if intent is Intent.FAILED:
        return Decision(Act.DO, f"the last swap failed and {mine} is still in {start}: it is tried again")
    return Decision(Act.DO, f"{mine} is in {start}, no swap runs")


def plan_deploy(
    mine: Marker,
    *,
    production: Marker | None,
    staging: Marker | None,
    intent: Intent = Intent.NONE,
    has_id: bool = False,
    operation: Operation = Operation.NONE,
) -> Decision:
    """Decide about the deployment of `mine` to staging.

    The marker is set only after the deployment was verified, so staging's marker proves it.

    :param has_id: whether the id of the deployment that this release started is kept; `operation` is then its state,
        otherwise that of any deployment in the slot.
    """
    if _is(production, mine):
        return Decision(Act.DONE, f"{mine} is in production already: deploying would overwrite what drains in staging")
    for marker, where in ((production, "production"), (staging, "staging")):
        if marker and marker.release_id == mine.release_id and marker.sha256 != mine.sha256:
            return Decision(
                Act.CONFLICT, f"{where} holds another package under this release's id: {marker}, not {mine}"
            )
    if operation is Operation.UNKNOWN:
        return Decision(Act.WAIT, "it cannot be told whether a deployment runs: unknown is not none")
    if operation is Operation.RUNNING:
        if has_id and intent is Intent.STARTED:
            return Decision(Act.RESUME, "the deployment that this release started is still running")
        return Decision(Act.WAIT, "a deployment runs in the slot that this release did not start")
    if _is(staging, mine):
        return Decision(Act.DONE, f"{mine} is in staging and was verified")
    if has_id and intent is Intent.STARTED and operation is Operation.SUCCEEDED:
        return Decision(Act.RESUME, "the deployment has ended well; what is left is to verify and to mark it")
    if intent is Intent.SUCCEEDED:
        return Decision(
            Act.CONFLICT,
            f"{mine} was deployed to staging, which holds {_name(staging)} now: somebody deployed or swapped meanwhile",
        )
    before = "the last deployment failed" if intent is Intent.FAILED or operation is Operation.FAILED else ""
    return Decision(Act.DO, "; ".join(part for part in (before, f"staging holds {_name(staging)}") if part))


def _is(marker: Marker | None, mine: Marker) -> bool:
    return marker is not None and (marker.release_id, marker.sha256) == (mine.release_id, mine.sha256.lower())


def _name(marker: Marker | None) -> str:
    return str(marker) if marker else "no release of ours"
