"""What an orchestration sends in a turn: the messages of its actions, and the events that record them."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from local_azure.engine import requests
from local_azure.engine.code import (
    Action,
    CallActivity,
    CallEntity,
    CallSubOrchestrator,
    CreateTimer,
    SendEvent,
    SignalEntity,
)
from local_azure.engine.history import Event, EventKind, make
from local_azure.engine.instances import Status
from local_azure.engine.messages import Message, Sender
from local_azure.engine.settings import HubSettings
from local_azure.engine.times import utcnow
from local_azure.engine.turns import Delayed, Outbox
from local_azure.engine.view import View


def new_execution_id() -> str:
    """An execution id as the engine makes them."""
    return uuid.uuid4().hex


class Sending:
    """Fills the outbox of one turn."""

    def __init__(self, settings: HubSettings, instance_id: str, execution_id: str, episode: int) -> None:
        self.outbox = Outbox()
        self._settings = settings
        self._instance_id = instance_id
        self._execution_id = execution_id
        # All messages of a turn name the execution that the turn began with, even those of a next generation.
        self._sender = Sender(instance_id, execution_id)
        self._episode = episode

    def continue_as(self, execution_id: str) -> None:
        """From now on the next generation sends."""
        self._execution_id = execution_id

    def _message(self, event: Event, instance_id: str, execution_id: str | None, *, call: bool = False) -> Message:
        return Message(event, instance_id, execution_id, self._sender, self._episode, in_orchestration=call)

    def schedule(self, action: Action, view: View, started: Event) -> Event:
        """Put an action's message into the outbox; returns the event that records it."""
        match action:
            case CallActivity():
                wrapped = f"[{action.input if action.input is not None else 'null'}]"
                event = make(EventKind.TaskScheduled, event_id=action.id, Name=action.name, Version="", Input=wrapped)
                self.outbox.work_items.append(self._message(event, self._instance_id, self._execution_id, call=True))
                return event
            case CreateTimer():
                fired = make(EventKind.TimerFired, TimerId=action.id, FireAt=action.fire_at)
                message = self._message(fired, self._instance_id, self._execution_id)
                self.outbox.delayed.append(Delayed(message, action.fire_at))
                return make(EventKind.TimerCreated, event_id=action.id, FireAt=action.fire_at)
            case CallSubOrchestrator():
                return self._start_child(action, started)
            case SendEvent():
                return self._send(action.id, action.instance_id, action.name, action.input, None)
            case SignalEntity() | CallEntity():
                return self._request(action, view)

    def _start_child(self, action: CallSubOrchestrator, started: Event) -> Event:
        child_id = action.instance_id or f"{self._execution_id}:{action.id}"
        child_execution = new_execution_id()
        version = action.version if action.version is not None else self._settings.default_version
        begun = make(
            EventKind.ExecutionStarted,
            ParentInstance={
                "Name": started["Name"],
                "OrchestrationInstance": {"InstanceId": self._instance_id, "ExecutionId": self._execution_id},
                "TaskScheduleId": action.id,
                "Version": started["Version"],
            },
            Name=action.name,
            Version=version,
            Input=action.input,
            GenerateNewTrace=False,
            OrchestrationInstance={"InstanceId": child_id, "ExecutionId": child_execution},
        )
        self.outbox.to_instances.append(self._message(begun, child_id, child_execution, call=True))
        return make(
            EventKind.SubOrchestrationInstanceCreated,
            event_id=action.id,
            Name=action.name,
            Version=version,
            InstanceId=child_id,
        )

    def _send(self, event_id: int, receiver: str, name: str, text: str | None, at: datetime | None) -> Event:
        message = self._message(make(EventKind.EventRaised, Name=name, Input=text), receiver, None)
        if at is None:
            self.outbox.to_instances.append(message)
        else:
            self.outbox.delayed.append(Delayed(message, at))
        return make(EventKind.EventSent, event_id=event_id, InstanceId=receiver, Name=name, Input=text)

    def _request(self, action: SignalEntity | CallEntity, view: View) -> Event:
        receiver = action.entity.instance_id
        turn_began = next(e.timestamp for e in reversed(view.events) if e.kind is EventKind.OrchestratorStarted)
        scheduled_time = action.scheduled_time if isinstance(action, SignalEntity) else None
        text = requests.from_instance(
            action.operation,
            action.input,
            is_signal=isinstance(action, SignalEntity),
            sender_id=self._instance_id,
            sender_execution=self._execution_id,
            labels=requests.RequestLabels.of_history(view.events, turn_began).next(receiver),
            scheduled_time=scheduled_time,
            now=utcnow(),
        )
        event = self._send(action.id, receiver, requests.event_name(scheduled_time), text, scheduled_time)
        view.events.append(event)  # the next request of this turn comes after this one
        return event

    def answer_parent(self, started: Event, completed: Event) -> None:
        """Tell the parent, if there is one, how its child has ended."""
        parent = started["ParentInstance"]
        if parent is None:
            return
        if completed["OrchestrationStatus"] == Status.COMPLETED.value:
            answer = make(
                EventKind.SubOrchestrationInstanceCompleted,
                TaskScheduledId=parent["TaskScheduleId"],
                Result=completed["Result"],
            )
        else:
            answer = make(
                EventKind.SubOrchestrationInstanceFailed,
                TaskScheduledId=parent["TaskScheduleId"],
                Reason=completed["Result"],
                FailureDetails=completed["FailureDetails"],
            )
        instance = parent["OrchestrationInstance"]
        self.outbox.to_instances.append(self._message(answer, instance["InstanceId"], instance["ExecutionId"]))

    def forward_unprocessed(self, view: View, event_waits: Mapping[str, int]) -> None:
        """Continue-as-new sends the instance its own events again that the code has not waited for."""
        waits = Counter({name.lower(): count for name, count in event_waits.items()})
        answers = {_request_id(event) for event in view.events if event.kind is EventKind.EventSent}
        for event in view.events:
            name = str(event["Name"])
            if event.kind is not EventKind.EventRaised or name in answers:
                continue
            if waits[name.lower()] > 0:
                waits[name.lower()] -= 1
                continue
            raised = make(EventKind.EventRaised, Name=name, Input=event["Input"])
            self.outbox.to_instances.append(self._message(raised, self._instance_id, None))


def _request_id(sent: Event) -> str | None:
    """The id under which an entity answers a request; None for other events that were sent."""
    if not requests.is_request(str(sent["Name"])):
        return None
    found: str | None = json.loads(sent["Input"]).get("id")
    return found
