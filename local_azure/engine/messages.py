"""Queue messages: MessageData around a TaskMessage around an event, in the engine's own JSON."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local_azure.engine.history import Event, EventKind, compact_json, from_message, to_message, typed

MESSAGE_TYPE = "DurableTask.AzureStorage.MessageData"
NO_ACTIVITY = "00000000-0000-0000-0000-000000000000"
_TAGS_TYPE = (
    "System.Collections.Generic.Dictionary`2"
    "[[System.String, System.Private.CoreLib],[System.String, System.Private.CoreLib]]"
)

# Numbers the messages that this process puts, as the engine's process-wide counter does.
_sequence = itertools.count(1)


@dataclass(frozen=True)
class Sender:
    """The execution that put the message; both empty for a client."""

    instance_id: str = ""
    execution_id: str = ""


@dataclass(frozen=True)
class Message:
    """One message, read or to be put. `execution_id` None reaches whichever execution runs."""

    event: Event
    instance_id: str
    execution_id: str | None
    sender: Sender = Sender()
    episode: int | None = None
    in_orchestration: bool = False  # carries the context that calls out of an orchestration carry
    activity_id: uuid.UUID = field(default_factory=uuid.uuid4)
    sequence_number: int = field(default_factory=lambda: next(_sequence))

    @property
    def kind(self) -> EventKind:
        """Kind of the event."""
        return self.event.kind


def to_json(message: Message) -> str:
    """The message's text."""
    instance = {"InstanceId": message.instance_id, "ExecutionId": message.execution_id}
    context = None
    if message.in_orchestration:
        context = {
            "$type": "DurableTask.Core.OrchestrationExecutionContext",
            "OrchestrationTags": {"$type": _TAGS_TYPE},
        }
    body: dict[str, Any] = {
        "$type": MESSAGE_TYPE,
        "ActivityId": str(message.activity_id),
        "TaskMessage": {
            "$type": "DurableTask.Core.TaskMessage",
            "Event": to_message(message.event),
            "SequenceNumber": 0,
            "OrchestrationInstance": typed("OrchestrationInstance", instance),
            "OrchestrationExecutionContext": context,
        },
        "CompressedBlobName": None,
        "SequenceNumber": message.sequence_number,
    }
    if message.episode is not None:
        body["Episode"] = message.episode
    body["Sender"] = {"InstanceId": message.sender.instance_id, "ExecutionId": message.sender.execution_id}
    body["SerializableTraceContext"] = None
    return compact_json(body)


def from_json(text: str) -> Message | str:
    """Read a message; a text that only names a blob gives the blob's name."""
    body: Mapping[str, Any] = json.loads(text)
    if body.get("CompressedBlobName"):
        return str(body["CompressedBlobName"])
    task = body["TaskMessage"]
    sender = body.get("Sender") or {}
    instance = task["OrchestrationInstance"]
    return Message(
        event=from_message(task["Event"]),
        instance_id=instance["InstanceId"],
        execution_id=instance["ExecutionId"],
        sender=Sender(sender.get("InstanceId") or "", sender.get("ExecutionId") or ""),
        episode=body.get("Episode"),
        in_orchestration=task.get("OrchestrationExecutionContext") is not None,
        activity_id=uuid.UUID(body["ActivityId"]),
        sequence_number=body.get("SequenceNumber", 0),
    )


def pointer_json(blob_name: str) -> str:
    """The message that only names the blob in which the real one lies."""
    return compact_json(
        {
            "$type": MESSAGE_TYPE,
            "ActivityId": NO_ACTIVITY,
            "TaskMessage": None,
            "CompressedBlobName": blob_name,
            "SequenceNumber": 0,
            "Sender": None,
            "SerializableTraceContext": None,
        }
    )
