"""Messages of a task hub's queues: whose they are and of which kind, read without ever trusting them.

The engine writes its `MessageData` as JSON, in Base64 or plain by generation. A large one carries only the name of a
blob, `{instance}/message-{hex}-{EventType}.json.gz`.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

START_EVENT = "ExecutionStarted"

# The numbers of DurableTask.Core's EventType that travel in messages.
_EVENT_NAMES = {
    0: START_EVENT,
    1: "ExecutionCompleted",
    2: "ExecutionFailed",
    3: "ExecutionTerminated",
    4: "TaskScheduled",
    5: "TaskCompleted",
    6: "TaskFailed",
    7: "SubOrchestrationInstanceCreated",
    8: "SubOrchestrationInstanceCompleted",
    9: "SubOrchestrationInstanceFailed",
    10: "TimerCreated",
    11: "TimerFired",
    12: "OrchestratorStarted",
    13: "OrchestratorCompleted",
    14: "EventSent",
    15: "EventRaised",
    16: "ContinueAsNew",
    17: "GenericEvent",
    18: "HistoryState",
    19: "ExecutionSuspended",
    20: "ExecutionResumed",
    21: "ExecutionRewound",
}
_BLOB_NAME = re.compile(r"(?P<instance>.+)/message-[0-9a-fA-F]+-(?P<kind>[A-Za-z]+)\.json\.gz\Z", re.DOTALL)


@dataclass(frozen=True)
class QueueMessage:
    """What is known of a message. Without an instance or a kind it is unreadable, and counts as work."""

    instance_id: str | None = None
    kind: str | None = None

    @property
    def is_readable(self) -> bool:
        """Whether both the instance and the kind are known."""
        return bool(self.instance_id) and bool(self.kind)

    @property
    def is_start(self) -> bool:
        """Whether the message starts an execution: alone it stands for work that may have no row yet."""
        return self.kind == START_EVENT


UNREADABLE = QueueMessage()


def read_message(text: str | bytes) -> QueueMessage:
    """Read the body of a message, Base64 or plain. Never raises: what cannot be read is UNREADABLE."""
    document = _json_object(text)
    if document is None:
        return UNREADABLE
    message = document.get("TaskMessage")
    if isinstance(message, dict):
        found = _from_task_message(message)
        if found.is_readable:
            return found
    blob_name = document.get("CompressedBlobName")
    return _from_blob_name(blob_name) if isinstance(blob_name, str) else UNREADABLE


def _json_object(text: str | bytes) -> dict[str, object] | None:
    raw = text.encode() if isinstance(text, str) else text
    if raw.lstrip()[:1] != b"{":
        try:
            raw = base64.b64decode(raw, validate=True)
        except (binascii.Error, ValueError):
            return None
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _from_task_message(message: dict[str, object]) -> QueueMessage:
    instance = message.get("OrchestrationInstance")
    instance_id = instance.get("InstanceId") if isinstance(instance, dict) else None
    event = message.get("Event")
    return QueueMessage(
        instance_id=instance_id if isinstance(instance_id, str) else None,
        kind=_kind(event) if isinstance(event, dict) else None,
    )


def _kind(event: dict[str, object]) -> str | None:
    number = event.get("EventType")
    if isinstance(number, int) and not isinstance(number, bool):
        return _EVENT_NAMES.get(number)
    return None


def _from_blob_name(name: str) -> QueueMessage:
    match = _BLOB_NAME.match(name)
    return QueueMessage(instance_id=match["instance"], kind=match["kind"]) if match else UNREADABLE
