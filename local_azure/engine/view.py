"""The history as the code is to see it now: what a suspension holds back and what a terminate cuts off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from local_azure.engine.history import Event, EventKind

# Events that a suspended instance lets wait until it is resumed.
_HELD_WHILE_SUSPENDED = (
    EventKind.TaskCompleted,
    EventKind.TaskFailed,
    EventKind.SubOrchestrationInstanceCompleted,
    EventKind.SubOrchestrationInstanceFailed,
    EventKind.TimerFired,
    EventKind.EventRaised,
)


@dataclass(frozen=True)
class View:
    """Events in the order in which the code sees them; those from `new_from` on are this turn's."""

    events: list[Event]
    new_from: int
    suspended: bool
    terminated: Event | None


def lay_out(events: Sequence[Event], first_new: int) -> View:
    """Lay the history out for the code: while suspended events wait, and nothing comes after a terminate."""
    visible: list[Event] = []
    held: list[Event] = []
    suspended = False
    new_from = 0
    for index, event in enumerate(events):
        if index == first_new:
            new_from = len(visible)
        if event.kind is EventKind.ExecutionTerminated:
            return View(visible, new_from, suspended, event)
        if suspended and event.kind in _HELD_WHILE_SUSPENDED:
            held.append(event)
            continue
        visible.append(event)
        if event.kind is EventKind.ExecutionSuspended:
            suspended = True
        elif event.kind is EventKind.ExecutionResumed:
            suspended = False
            visible.extend(held)
            held.clear()
    return View(visible, new_from, suspended, None)
