"""Instances, histories and entities as the management API shows them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from local_azure.engine.instances import EntityState, InstanceState

# Numbers of history events, as the extension hands them to workers.
_EXECUTION_STARTED = 0
_TASK_SCHEDULED = 4
_TASK_COMPLETED, _TASK_FAILED = 5, 6
_CHILD_CREATED = 7
_CHILD_COMPLETED, _CHILD_FAILED = 8, 9
_TIMER_CREATED = 10
_TIMER_FIRED = 11
_NAMES = {
    _EXECUTION_STARTED: "ExecutionStarted",
    1: "ExecutionCompleted",
    3: "ExecutionTerminated",
    _TASK_COMPLETED: "TaskCompleted",
    _TASK_FAILED: "TaskFailed",
    _CHILD_COMPLETED: "SubOrchestrationInstanceCompleted",
    _CHILD_FAILED: "SubOrchestrationInstanceFailed",
    _TIMER_FIRED: "TimerFired",
    14: "EventSent",
    15: "EventRaised",
    16: "ContinueAsNew",
    17: "GenericEvent",
    19: "ExecutionSuspended",
    20: "ExecutionResumed",
}
_STATUS_NAMES = {
    0: "Running", 1: "Completed", 2: "ContinuedAsNew", 3: "Failed", 4: "Canceled", 5: "Terminated", 6: "Pending",
    7: "Suspended",
}  # fmt: skip
_HIDDEN_FIELDS = frozenset(
    {"EventId", "IsPlayed", "EventType", "TaskScheduledId", "TimerId", "OrchestrationInstance", "ParentInstance",
     "Version", "Tags"}
)  # fmt: skip
_RESULT_FIELDS = ("Result", "Details")


def instance_json(state: InstanceState, *, show_input: bool = True) -> dict[str, Any]:
    """One instance, as in lists and in the answer to a status query."""
    return {
        "name": state.name,
        "instanceId": state.instance_id,
        "runtimeStatus": state.status.value,
        "input": token(state.input) if show_input else None,
        "customStatus": token(state.custom_status),
        "output": token(state.output),
        "createdTime": seconds(state.created_time),
        "lastUpdatedTime": seconds(state.last_updated_time),
    }


def entity_json(entity: EntityState, *, show_state: bool) -> dict[str, Any]:
    """One entity of a list."""
    return {
        "entityId": {"name": entity.name, "key": entity.key},
        "lastOperationTime": entity.last_operation_time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "state": token(entity.state) if show_state else None,
    }


def token(text: str | None) -> Any:
    """A payload as JSON; text that is no JSON is shown as a string."""
    if text is None or text == "":
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def seconds(moment: datetime) -> str:
    """A time as the API writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def history_json(events: Iterable[Mapping[str, Any]], *, show_output: bool) -> list[dict[str, Any]]:
    """A history: each result is shown with its call, and calls without a result are left out."""
    calls: dict[tuple[str, Any], Mapping[str, Any]] = {}
    shown: list[dict[str, Any]] = []
    for event in events:
        kind = event["EventType"]
        if kind in (_TASK_SCHEDULED, _CHILD_CREATED):
            calls["call", event["EventId"]] = event
        elif kind == _TIMER_CREATED:
            calls["timer", event["EventId"]] = event
        elif kind in _NAMES:
            shown.append(_event_json(event, calls, show_output=show_output))
    return shown


def _event_json(
    event: Mapping[str, Any], calls: Mapping[tuple[str, Any], Mapping[str, Any]], *, show_output: bool
) -> dict[str, Any]:
    kind = event["EventType"]
    fields = {key: value for key, value in event.items() if key not in _HIDDEN_FIELDS}
    result: dict[str, Any] = {"EventType": _NAMES[kind]}
    for key in _RESULT_FIELDS:
        if key in fields:
            if show_output:
                result[key] = token(fields[key])
            del fields[key]
    name = fields.pop("Name", None)
    if isinstance(fields.get("OrchestrationStatus"), int):
        fields["OrchestrationStatus"] = _STATUS_NAMES.get(fields["OrchestrationStatus"], "Unknown")
    result |= fields
    call = calls.get(
        ("timer", event.get("TimerId")) if kind == _TIMER_FIRED else ("call", event.get("TaskScheduledId"))
    )
    if kind == _EXECUTION_STARTED:
        result["FunctionName"] = name
    elif kind in (_TASK_COMPLETED, _TASK_FAILED, _CHILD_COMPLETED, _CHILD_FAILED) and call is not None:
        result["ScheduledTime"] = _offset_form(call.get("Timestamp"))
        result["FunctionName"] = call.get("Name")
        result["Input"] = call.get("Input")
    elif kind == _TIMER_FIRED and call is not None:
        result["ScheduledTime"] = _offset_form(call.get("Timestamp"))
    elif name is not None:
        result["Name"] = name
    return result


def _offset_form(timestamp: object) -> str | None:
    return None if timestamp is None else str(timestamp).removesuffix("Z") + "+00:00"
