"""Does the code still do what its history says? The comparison of DurableTask.Core's TaskOrchestrationContext."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local_azure.engine.code import (
    Action,
    CallActivity,
    CallEntity,
    CallSubOrchestrator,
    CreateTimer,
    SendEvent,
    SignalEntity,
)
from local_azure.engine.history import Event, EventKind

SCHEDULING = (
    EventKind.TaskScheduled,
    EventKind.TimerCreated,
    EventKind.SubOrchestrationInstanceCreated,
    EventKind.EventSent,
)
_QUESTION = "Was a change made to the orchestrator code after this instance had already started running?"
_ABSENT = "but the current replay execution hasn't (yet?) scheduled this task. " + _QUESTION


@dataclass(frozen=True)
class Divergence:
    """What differs, and the actions that the code had scheduled and not seen confirmed when it was found."""

    message: str
    pending: tuple[Action, ...]
    next_id: int


def _action_type(action: Action) -> str:
    match action:
        case CallActivity():
            return "ScheduleTaskOrchestratorAction"
        case CallSubOrchestrator():
            return "CreateSubOrchestrationAction"
        case CreateTimer():
            return "CreateTimerOrchestratorAction"
        case SendEvent() | SignalEntity() | CallEntity():
            return "SendEventOrchestratorAction"


def _produced(action: Action) -> str:
    return (
        f"but the current orchestration replay instead produced a {_action_type(action)} action "
        f"with this sequence number. {_QUESTION}"
    )


def _compare_activity(event: Event, action: Action | None) -> str | None:
    number, name = event.event_id, event["Name"]
    before = "A previous execution of this orchestration scheduled an activity task with sequence"
    if action is None:
        return f"{before} ID {number} and name '{name}' (version '{event['Version'] or ''}'), {_ABSENT}"
    if not isinstance(action, CallActivity):
        return f"{before} number {number} named '{name}', {_produced(action)}"
    if action.name.lower() != str(name).lower():
        return (
            f"{before} number {number} named '{name}', but the current orchestration replay instead scheduled "
            f"an activity task named '{action.name}' with this sequence number.  {_QUESTION}"
        )
    return None


def _compare_child(event: Event, action: Action | None) -> str | None:
    before = (
        f"A previous execution of this orchestration scheduled a sub-orchestration task with sequence ID "
        f"{event.event_id} and name '{event['Name']}' (version '{event['Version'] or ''}', "
        f"instance ID '{event['InstanceId']}'), "
    )
    if action is None:
        return before + _ABSENT
    if not isinstance(action, CallSubOrchestrator):
        return before + _produced(action)
    if action.name.lower() != str(event["Name"]).lower():
        return (
            f"{before}but the current orchestration replay instead scheduled a sub-orchestration task "
            f"with name {action.name} at this sequence number. {_QUESTION}"
        )
    return None


def _compare_timer(event: Event, action: Action | None) -> str | None:
    before = f"A previous execution of this orchestration scheduled a timer task with sequence number {event.event_id} "
    if action is None:
        return before + _ABSENT
    return None if isinstance(action, CreateTimer) else before + _produced(action)


def _compare_sent(event: Event, action: Action | None) -> str | None:
    before = (
        f"A previous execution of this orchestration scheduled a send event task with sequence ID {event.event_id}, "
        f"type '{event.kind.name}' name '{event['Name']}', instance ID '{event['InstanceId']}', "
    )
    if action is None:
        return before + _ABSENT
    return None if isinstance(action, SendEvent | SignalEntity | CallEntity) else before + _produced(action)


_COMPARE = {
    EventKind.TaskScheduled: _compare_activity,
    EventKind.SubOrchestrationInstanceCreated: _compare_child,
    EventKind.TimerCreated: _compare_timer,
    EventKind.EventSent: _compare_sent,
}


def find(
    history: Sequence[Event], actions: Sequence[Action], scheduled_after: Mapping[int, int] | None
) -> Divergence | None:
    """Compare the actions of a replay with the history that it replayed; None when they agree.

    An action counts only from the event on during which the code scheduled it: one that comes later than the history
    says is as good as absent.
    """
    by_id = {action.id: action for action in actions}
    confirmed: set[int] = set()
    for index, event in enumerate(history):
        if event.kind not in SCHEDULING:
            continue
        action = by_id.get(event.event_id)
        if action is not None and scheduled_after is not None and scheduled_after.get(action.id, -1) > index:
            action = None
        message = _COMPARE[event.kind](event, action)
        if message is None:
            confirmed.add(event.event_id)
            continue
        if scheduled_after is None:
            pending = tuple(() if action is None else (action,))
        else:
            pending = tuple(a for a in actions if a.id not in confirmed and scheduled_after.get(a.id, -1) <= index)
        next_id = max([*confirmed, *(a.id for a in pending)], default=-1) + 1
        return Divergence(f"Non-Deterministic workflow detected: {message}", pending, next_id)
    return None
