"""History events, and their three forms: in messages, in rows of the History table, and as the code gets them."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from local_azure.engine.times import from_text, to_text, utcnow

NAMESPACE = "DurableTask.Core"


class EventKind(enum.IntEnum):
    """The numbers of DurableTask.Core's EventType."""

    ExecutionStarted = 0
    ExecutionCompleted = 1
    ExecutionFailed = 2
    ExecutionTerminated = 3
    TaskScheduled = 4
    TaskCompleted = 5
    TaskFailed = 6
    SubOrchestrationInstanceCreated = 7
    SubOrchestrationInstanceCompleted = 8
    SubOrchestrationInstanceFailed = 9
    TimerCreated = 10
    TimerFired = 11
    OrchestratorStarted = 12
    OrchestratorCompleted = 13
    EventSent = 14
    EventRaised = 15
    ContinueAsNew = 16
    GenericEvent = 17
    HistoryState = 18
    ExecutionSuspended = 19
    ExecutionResumed = 20
    ExecutionRewound = 21


class _Form(enum.Enum):
    """How a field's value is written into a column."""

    PLAIN = "as it is"
    JSON = "JSON text, `null` for nothing"
    TIME = "DateTime"


_P, _J, _T = _Form.PLAIN, _Form.JSON, _Form.TIME

# Fields of each kind in the order in which the engine writes them into rows.
_FIELDS: dict[EventKind, dict[str, _Form]] = {
    EventKind.ExecutionStarted: {
        "ParentInstance": _J,
        "Name": _P,
        "Version": _P,
        "Input": _P,
        "Tags": _J,
        "Correlation": _P,
        "ParentTraceContext": _J,
        "ScheduledStartTime": _T,
        "Generation": _P,
        "GenerateNewTrace": _P,
        "OrchestrationInstance": _J,
    },
    EventKind.ExecutionCompleted: {"OrchestrationStatus": _P, "Result": _P, "FailureDetails": _J},
    EventKind.ExecutionFailed: {},
    EventKind.ExecutionTerminated: {"Input": _P},
    EventKind.TaskScheduled: {"Name": _P, "Version": _P, "Input": _P, "ParentTraceContext": _J, "Tags": _J},
    EventKind.TaskCompleted: {"TaskScheduledId": _P, "Result": _P},
    EventKind.TaskFailed: {"TaskScheduledId": _P, "Reason": _P, "Details": _P, "FailureDetails": _J},
    EventKind.SubOrchestrationInstanceCreated: {
        "Name": _P,
        "Version": _P,
        "InstanceId": _P,
        "Input": _P,
        "ClientSpanId": _P,
        "Tags": _J,
    },
    EventKind.SubOrchestrationInstanceCompleted: {"TaskScheduledId": _P, "Result": _P},
    EventKind.SubOrchestrationInstanceFailed: {
        "TaskScheduledId": _P,
        "Reason": _P,
        "Details": _P,
        "FailureDetails": _J,
    },
    EventKind.TimerCreated: {"FireAt": _T},
    EventKind.TimerFired: {"TimerId": _P, "FireAt": _T},
    EventKind.OrchestratorStarted: {},
    EventKind.OrchestratorCompleted: {},
    EventKind.EventSent: {"InstanceId": _P, "Name": _P, "Input": _P},
    EventKind.EventRaised: {"Name": _P, "Input": _P, "ParentTraceContext": _J},
    EventKind.ContinueAsNew: {"Result": _P},
    EventKind.GenericEvent: {"Data": _P},
    EventKind.HistoryState: {},
    EventKind.ExecutionSuspended: {"Reason": _P},
    EventKind.ExecutionResumed: {"Reason": _P},
    EventKind.ExecutionRewound: {"Reason": _P},
}

_TYPED_OBJECTS = {"OrchestrationInstance": "OrchestrationInstance", "ParentInstance": "ParentInstance"}


@dataclass(frozen=True)
class Event:
    """One event. Times in `fields` are aware datetimes, objects are dicts, all else is JSON's own."""

    kind: EventKind
    timestamp: datetime
    event_id: int = -1
    is_played: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.fields.get(name)

    def played(self) -> Event:
        """The same event, marked as replayed."""
        return replace(self, is_played=True)


def make(kind: EventKind, *, event_id: int = -1, timestamp: datetime | None = None, **fields: Any) -> Event:
    """A new event; fields that are not given are null."""
    known = _FIELDS[kind]
    unknown = fields.keys() - known.keys()
    if unknown:
        raise ValueError(f"{kind.name} has no field {sorted(unknown)}")
    values = {name: fields.get(name) for name in known}
    return Event(kind, timestamp or utcnow(), event_id, False, values)


# --- in messages ---------------------------------------------------------------------------------------------------


def typed(name: str, value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An object with the `$type` of DurableTask.Core in front, inner ones too."""
    if value is None:
        return None
    inner = {key: typed(key, item) if key in _TYPED_OBJECTS else item for key, item in value.items()}
    return {"$type": f"{NAMESPACE}.{_TYPED_OBJECTS.get(name, name)}", **inner}


def untyped(value: Any) -> Any:
    """The same without any `$type`."""
    if isinstance(value, dict):
        return {key: untyped(item) for key, item in value.items() if key != "$type"}
    return value


def to_message(event: Event) -> dict[str, Any]:
    """The event as it stands in a queue message."""
    suffix = "" if event.kind.name.endswith("Event") else "Event"
    body: dict[str, Any] = {"$type": f"{NAMESPACE}.History.{event.kind.name}{suffix}"}
    fields = dict(event.fields)
    # The order of .NET's own serializer: properties of a class that stand before the base's EventType come first.
    for first in ("OrchestrationInstance", "Data"):
        if first in fields:
            value = fields.pop(first)
            body[first] = typed(first, value) if first in _TYPED_OBJECTS else value
    body["EventType"] = int(event.kind)
    for name, value in fields.items():
        if name in _TYPED_OBJECTS:
            body[name] = typed(name, value)
        else:
            body[name] = to_text(value) if isinstance(value, datetime) else value
    return body | {
        "EventId": event.event_id,
        "IsPlayed": event.is_played,
        "Timestamp": to_text(event.timestamp),
    }


def from_message(body: Mapping[str, Any]) -> Event:
    """Read the event of a queue message."""
    kind = EventKind(body["EventType"])
    fields: dict[str, Any] = {}
    for name, form in _FIELDS[kind].items():
        value = body.get(name)
        fields[name] = from_text(value) if form is _Form.TIME and value is not None else untyped(value)
    return Event(kind, from_text(body["Timestamp"]), body["EventId"], body["IsPlayed"], fields)


# --- in rows -------------------------------------------------------------------------------------------------------


def compact_json(value: Any) -> str:
    """JSON as Newtonsoft writes it: no spaces, no escapes but the needed ones."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# The inputs of calls are in the messages; the engine does not keep them a second time in the rows.
_INPUT_NOT_KEPT = (EventKind.TaskScheduled, EventKind.SubOrchestrationInstanceCreated)


def to_row(event: Event, partition_key: str, sequence: int, execution_id: str) -> dict[str, Any]:
    """The event as a row; columns whose value is null are left out, as the store leaves them out."""
    row: dict[str, Any] = {}
    for name, form in _FIELDS[event.kind].items():
        value = event.fields.get(name)
        if form is _Form.JSON:
            value = compact_json(value)
        if name == "Input" and event.kind in _INPUT_NOT_KEPT:
            value = None
        row[name] = value
    row |= {
        "EventId": event.event_id,
        "IsPlayed": event.is_played,
        "_Timestamp": event.timestamp,
        "EventType": event.kind.name,
        "PartitionKey": partition_key,
        "RowKey": f"{sequence:016X}",
        "ExecutionId": execution_id,
    }
    return {name: value for name, value in row.items() if value is not None}


def from_row(row: Mapping[str, Any]) -> Event:
    """Read a row (payloads in blobs fetched before)."""
    kind = EventKind[row["EventType"]]
    fields: dict[str, Any] = {}
    for name, form in _FIELDS[kind].items():
        value = row.get(name)
        fields[name] = json.loads(value) if form is _Form.JSON and value is not None else value
    return Event(kind, row["_Timestamp"], row["EventId"], row["IsPlayed"], fields)


# --- for the code --------------------------------------------------------------------------------------------------


def to_code(event: Event) -> dict[str, Any]:
    """The event as out-of-process workers get it: number of the kind, JSON's own types, every field present."""
    body: dict[str, Any] = {
        "EventType": int(event.kind),
        "EventId": event.event_id,
        "IsPlayed": event.is_played,
        "Timestamp": to_text(event.timestamp),
    }
    for name, value in event.fields.items():
        body[name] = to_text(value) if isinstance(value, datetime) else value
    return body
