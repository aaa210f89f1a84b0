"""Writes small films of one's own: a hub of four partitions, and what happens to it, second by second."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from films.film import Film, load_film
from zdd.core.partitions import control_queue, control_queues, partition_of, work_item_queue

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EVENT_TYPES = {"ExecutionStarted": 0, "TimerFired": 11, "EventRaised": 15}


class FilmBuilder:
    """Collects operations; the film's clock stands until `wait` moves it."""

    def __init__(self, hub: str) -> None:
        self.hub = hub
        self.at = 0.0
        self._lines: list[dict[str, Any]] = []
        self._in_flight: list[str] = []
        for table in ("Partitions", "History", "Instances"):
            self._add("table", "create-table", table=f"{hub}{table}")
        for queue in control_queues(hub, 4):
            self._add("queue", "create-queue", queue=queue)
            self._add("table", "insert", table=f"{hub}Partitions", key=["", queue], entity={})
        self._add("queue", "create-queue", queue=work_item_queue(hub))

    def _add(self, service: str, operation: str, **rest: Any) -> None:
        self._lines.append(
            {"at": self.at, "service": service, "op": operation, "in_flight": list(self._in_flight), **rest}
        )

    def in_flight(self, *instances: str) -> None:
        """From the next operation on these instances are in flight."""
        self._in_flight = list(instances)

    def wait(self, seconds: float, step: float = 20) -> None:
        """Let time go by, with a frame every few seconds."""
        end = self.at + seconds
        while self.at < end:
            self.at = min(end, self.at + step)
            self._add("table", "read", table=f"{self.hub}Instances")

    def row(self, instance: str, status: str) -> None:
        """Write an instance row."""
        entity = {"RuntimeStatus": status, "Name": "Order", "TaskHubName": self.hub, "ExecutionId": "run"}
        self._add("table", "insert-or-replace", table=f"{self.hub}Instances", key=[instance, ""], entity=entity)

    def timers(self, instance: str, due_in: Iterable[float]) -> None:
        """Write TimerCreated rows that are due so many seconds from now."""
        for number, seconds in enumerate(due_in):
            due = START + timedelta(seconds=self.at + seconds)
            entity = {
                "EventType": "TimerCreated",
                "EventId": number,
                "ExecutionId": "run",
                "FireAt": due.isoformat(),
                "FireAt@odata.type": "Edm.DateTime",
            }
            self._add(
                "table",
                "insert-or-replace",
                table=f"{self.hub}History",
                key=[instance, f"{number:016X}"],
                entity=entity,
            )

    def put(self, instance: str, kind: str, name: str = "", *, hidden: float = 0) -> str:
        """Put a message into the control queue of an instance; returns its id."""
        message = {
            "TaskMessage": {
                "Event": {"EventType": EVENT_TYPES[kind]},
                "OrchestrationInstance": {"InstanceId": instance, "ExecutionId": "run"},
            }
        }
        message_id = name or f"{instance}-{kind}-{len(self._lines)}"
        self._add(
            "queue",
            "put-message",
            queue=self._queue(instance),
            id=message_id,
            hidden_seconds=hidden,
            message=message,
        )
        return message_id

    def take(self, instance: str, message_id: str, *, hidden: float) -> None:
        """A worker takes a message and does not give it back."""
        taken = [{"id": message_id, "dequeue_count": 1}]
        self._add("queue", "take-messages", queue=self._queue(instance), hidden_seconds=hidden, taken=taken)

    def put_back(self, instance: str, message_id: str, *, hidden: float) -> None:
        """A worker puts a message back for later."""
        self._add("queue", "update-message", queue=self._queue(instance), id=message_id, hidden_seconds=hidden)

    def _queue(self, instance: str) -> str:
        return control_queue(self.hub, partition_of(instance, 4))

    def film(self, folder: Path) -> Film:
        """Write the film into a folder and load it."""
        first = {"at": 0, "service": "film", "op": "start", "time": START.isoformat()}
        path = folder / f"{self.hub}.storage.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in (first, *self._lines)), encoding="utf-8")
        return load_film(path)
