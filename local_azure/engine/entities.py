"""One turn of an entity: an orchestration instance that continues as new after every batch. No storage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local_azure.engine import requests
from local_azure.engine.code import (
    EntityBatch,
    EntityId,
    EntityOperation,
    EntityOperationResult,
    EntityOutcome,
    FunctionCode,
)
from local_azure.engine.history import Event, EventKind, compact_json, make
from local_azure.engine.messages import Message, Sender
from local_azure.engine.sending import new_execution_id
from local_azure.engine.times import MIN_TIME, from_text, to_text, utcnow
from local_azure.engine.turns import Delayed, Outbox, TurnResult

_REORDER_MINUTES = 30


@dataclass
class _Scheduler:
    """What an entity keeps between its turns, in the JSON of the extension's SchedulerState."""

    exists: bool = False
    state: str | None = None
    locked_by: str | None = None
    queue: list[dict[str, Any]] = field(default_factory=list)
    received: dict[str, dict[str, Any]] = field(default_factory=dict)
    horizon: str | None = None
    sent: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> _Scheduler:
        body: dict[str, Any] = json.loads(text) if text else {}
        sorter = body.get("sorter") or {}
        return cls(
            exists=bool(body.get("exists", False)),
            state=body.get("state"),
            locked_by=body.get("lockedBy"),
            queue=list(body.get("queue") or []),
            received=dict(sorter.get("ReceivedFromInstance") or {}),
            horizon=sorter.get("ReceiveHorizon"),
            sent=dict(sorter.get("LastSentToInstance") or {}),
        )

    def to_json(self) -> str:
        body: dict[str, Any] = {}
        if self.exists:
            body["exists"] = True
        if self.state is not None:
            body["state"] = self.state
        if self.locked_by is not None:
            body["lockedBy"] = self.locked_by
        if self.queue:
            body["queue"] = self.queue
        sorter: dict[str, Any] = {}
        if self.sent:
            sorter["LastSentToInstance"] = self.sent
        if self.received:
            sorter["ReceivedFromInstance"] = self.received
        if self.horizon is not None:
            sorter["ReceiveHorizon"] = self.horizon
        return compact_json(body | {"sorter": sorter})

    def custom_status(self) -> str:
        body: dict[str, Any] = {}
        if self.exists:
            body["entityExists"] = True
        if self.queue:
            body["queueSize"] = len(self.queue)
        if self.locked_by is not None:
            body["lockedBy"] = self.locked_by
        return compact_json(body)

    def note_received(self, request: dict[str, Any]) -> None:
        """Remember the last label of each sender, as the message sorter does."""
        stamp, parent = request.get("Timestamp", MIN_TIME), request.get("parent")
        if parent is None or stamp == MIN_TIME:
            return
        self.received[parent] = {"Last": stamp, "ExecutionId": request.get("parentExecution")}
        if self.horizon is None:
            first = from_text(stamp).timestamp() - _REORDER_MINUTES * 60
            self.horizon = to_text(datetime.fromtimestamp(first, tz=from_text(stamp).tzinfo))


async def run_turn(
    code: FunctionCode, entity: EntityId, execution_id: str, past: Sequence[Event], new: Sequence[Event]
) -> TurnResult:
    """Run the operations that came in; returns the next generation of the entity's instance."""
    started = next((event for event in past if event.kind is EventKind.ExecutionStarted), None)
    turn = _EntityTurn(code, entity, execution_id, _Scheduler.parse(started["Input"] if started else None))
    turn.episode = sum(event.kind is EventKind.OrchestratorStarted for event in past) + 1
    return await turn.run(new)


class _EntityTurn:
    episode = 1

    def __init__(self, code: FunctionCode, entity: EntityId, execution_id: str, scheduler: _Scheduler) -> None:
        self._code = code
        self._entity = entity
        self._scheduler = scheduler
        self._outbox = Outbox()
        self._execution_id = execution_id
        self._sender = Sender(entity.instance_id, execution_id)
        self._batch: list[dict[str, Any]] = []

    async def run(self, new: Sequence[Event]) -> TurnResult:
        self._sort_in(new)
        if self._batch:
            await self._work()
        execution_id = new_execution_id()
        instance_id = self._entity.instance_id
        started = make(
            EventKind.ExecutionStarted,
            Name=instance_id,
            Version="",
            Input=self._scheduler.to_json(),
            GenerateNewTrace=False,
            OrchestrationInstance={"InstanceId": instance_id, "ExecutionId": execution_id},
        )
        began, ended = make(EventKind.OrchestratorStarted), make(EventKind.OrchestratorCompleted)
        events = (began, started.played(), ended.played())
        return TurnResult(execution_id, events, 0, self._outbox, self._scheduler.custom_status())

    def _sort_in(self, new: Sequence[Event]) -> None:
        """Take the incoming events in order: what may run now goes into the batch, what a lock keeps out waits."""
        scheduler = self._scheduler
        waiting, scheduler.queue = scheduler.queue, []
        for request in waiting:
            self._take(request)
        for event in new:
            if event.kind is not EventKind.EventRaised:
                continue
            body: dict[str, Any] = json.loads(event["Input"]) if event["Input"] else {}
            body.pop("$type", None)
            if event["Name"] == requests.RELEASE:
                self._release(body)
            elif requests.is_request(str(event["Name"])):
                scheduler.note_received(body)
                self._take(body)

    def _take(self, request: dict[str, Any]) -> None:
        scheduler = self._scheduler
        if scheduler.locked_by is not None and scheduler.locked_by != request.get("parent"):
            scheduler.queue.append(request)
        elif request.get("lockset"):
            self._lock(request)
        else:
            self._batch.append(request)

    def _lock(self, request: dict[str, Any]) -> None:
        """Lock this entity for the sender; pass the request on, or answer when it is the last of the set."""
        self._scheduler.locked_by = request["parent"]
        lockset = request["lockset"]
        position = int(request.get("position", 0)) + 1
        if position < len(lockset):
            following = EntityId(lockset[position]["name"], lockset[position]["key"])
            text = compact_json({"$type": requests.REQUEST_TYPE, **request, "position": position})
            self._put(make(EventKind.EventRaised, Name=requests.OPERATION, Input=text), following.instance_id, None)
        else:
            self._answer(request, requests.lock_granted())

    def _release(self, body: dict[str, Any]) -> None:
        if self._scheduler.locked_by != body.get("parent"):
            return
        self._scheduler.locked_by = None
        waiting, self._scheduler.queue = self._scheduler.queue, []
        for request in waiting:
            self._take(request)

    async def _work(self) -> None:
        scheduler = self._scheduler
        operations = [
            EntityOperation(
                name=str(request.get("op")),
                input=request.get("input"),
                request_id=str(request.get("id")),
                is_signal=bool(request.get("signal")),
            )
            for request in self._batch
        ]
        if self._entity.name.lower() not in self._code.entities():
            text = compact_json(f"Entity function '{self._entity.name}' does not exist or is not an entity function.")
            failures = [EntityOperationResult(text, is_error=True) for _ in operations]
            outcome = EntityOutcome(scheduler.exists, scheduler.state, failures)
        else:
            outcome = await self._code.run_entity(
                EntityBatch(self._entity, scheduler.exists, scheduler.state, operations)
            )
        scheduler.exists = outcome.exists
        scheduler.state = outcome.state if outcome.exists else None
        for request, result in zip(self._batch, outcome.results, strict=True):
            if not request.get("signal"):
                self._answer(request, requests.response(result.result, is_error=result.is_error))
        self._send_signals(outcome)

    def _send_signals(self, outcome: EntityOutcome) -> None:
        now = utcnow()
        labels = requests.RequestLabels(self._scheduler.sent, now)
        for signal in outcome.signals:
            receiver = signal.entity.instance_id
            label = labels.next(receiver)
            self._scheduler.sent[receiver] = label[0]
            text = requests.from_instance(
                signal.operation,
                signal.input,
                is_signal=True,
                sender_id=self._entity.instance_id,
                sender_execution=self._execution_id,
                labels=label,
                scheduled_time=signal.scheduled_time,
                now=now,
            )
            event = make(EventKind.EventRaised, Name=requests.event_name(signal.scheduled_time), Input=text)
            self._put(event, receiver, None, signal.scheduled_time)

    def _answer(self, request: dict[str, Any], text: str) -> None:
        event = make(EventKind.EventRaised, Name=request["id"], Input=text)
        self._put(event, request["parent"], request.get("parentExecution"))

    def _put(self, event: Event, receiver: str, execution_id: str | None, at: datetime | None = None) -> None:
        message = Message(event, receiver, execution_id, self._sender, self.episode)
        if at is None:
            self._outbox.to_instances.append(message)
        else:
            self._outbox.delayed.append(Delayed(message, at))
