"""The messages between orchestrations, clients and entities: requests, locks, answers, in the extension's JSON."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from local_azure.engine.history import Event, EventKind, compact_json
from local_azure.engine.times import MIN_TIME, from_text, to_text

OPERATION = "op"
RELEASE = "release"
_EXTENSION = "Microsoft.Azure.WebJobs.Extensions.DurableTask"
REQUEST_TYPE = f"{_EXTENSION}.RequestMessage, {_EXTENSION}"
RESPONSE_TYPE = f"{_EXTENSION}.ResponseMessage, {_EXTENSION}"


def event_name(scheduled_time: datetime | None) -> str:
    """Name of the event that carries a request; a delayed one says until when."""
    return OPERATION if scheduled_time is None else f"{OPERATION}@{to_text(scheduled_time)}"


def is_request(name: str) -> bool:
    """Whether an event's name is that of a request."""
    return name == OPERATION or name.startswith(f"{OPERATION}@")


def from_client(operation: str, operation_input: str | None, scheduled_time: datetime | None) -> str:
    """A signal that a client sends."""
    body: dict[str, Any] = {"op": operation, "signal": True}
    if operation_input is not None:
        body["input"] = operation_input
    body["id"] = str(uuid.uuid4())
    if scheduled_time is not None:
        body["due"] = to_text(scheduled_time)
    return compact_json(body | {"Timestamp": MIN_TIME, "Predecessor": MIN_TIME})


class RequestLabels:
    """Numbers the requests of one sender to each receiver by time, so that the receiver can keep their order."""

    def __init__(self, last_sent: dict[str, str], now: datetime) -> None:
        self._last = dict(last_sent)
        self._now = now

    @classmethod
    def of_history(cls, history: list[Event], now: datetime) -> RequestLabels:
        """Go on where an orchestration's history ends."""
        last: dict[str, str] = {}
        for event in history:
            if event.kind is EventKind.EventSent and is_request(str(event["Name"])):
                last[event["InstanceId"]] = json.loads(event["Input"])["Timestamp"]
        return cls(last, now)

    def next(self, receiver: str) -> tuple[str, str]:
        """Timestamp and predecessor of the next request to a receiver."""
        predecessor = self._last.get(receiver, MIN_TIME)
        moment = self._now
        if predecessor != MIN_TIME and from_text(predecessor) >= moment:
            moment = from_text(predecessor) + timedelta(microseconds=1)
        self._last[receiver] = to_text(moment)
        return self._last[receiver], predecessor


def from_instance(
    operation: str,
    operation_input: str | None,
    *,
    is_signal: bool,
    sender_id: str,
    sender_execution: str,
    labels: tuple[str, str],
    scheduled_time: datetime | None,
    now: datetime,
) -> str:
    """A signal or a call that an orchestration or an entity sends."""
    body: dict[str, Any] = {"$type": REQUEST_TYPE, "op": operation}
    if is_signal:
        body["signal"] = True
    if operation_input is not None:
        body["input"] = operation_input
    body["id"] = str(uuid.uuid4())
    if scheduled_time is not None:
        body["due"] = to_text(scheduled_time)
    body |= {"parent": sender_id, "parentExecution": sender_execution}
    body |= {"Timestamp": labels[0], "Predecessor": labels[1], "requestTime": now.isoformat()}
    return compact_json(body)


def response(result: str | None, *, is_error: bool = False) -> str:
    """The answer to a call: the JSON text of the result, or of the error's text."""
    body: dict[str, Any] = {"result": result if result is not None else "null"}
    if is_error:
        body["exceptionType"] = f"{_EXTENSION}.EntitySchedulerException, {_EXTENSION}"
    return compact_json(body)


def lock_granted() -> str:
    """The answer to a lock request."""
    return compact_json({"$type": RESPONSE_TYPE, "result": "Lock Acquisition Completed"})
