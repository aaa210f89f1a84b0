"""One turn of an orchestration: replay, comparison with the history, new events and messages. No storage."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from local_azure.engine import divergence, requests
from local_azure.engine.code import (
    Action,
    CallActivity,
    CallEntity,
    CallSubOrchestrator,
    CreateTimer,
    FunctionCode,
    OrchestratorOutcome,
    OrchestratorTurn,
    SendEvent,
    SignalEntity,
)
from local_azure.engine.history import Event, EventKind, make, to_code
from local_azure.engine.instances import Status
from local_azure.engine.messages import Message, Sender
from local_azure.engine.settings import HubSettings
from local_azure.engine.times import utcnow
from local_azure.engine.turns import Delayed, Outbox, TurnResult
from local_azure.engine.versions import VersionDecision, decide

# Events that a suspended instance lets wait until it is resumed.
_HELD_WHILE_SUSPENDED = (
    EventKind.TaskCompleted,
    EventKind.TaskFailed,
    EventKind.SubOrchestrationInstanceCompleted,
    EventKind.SubOrchestrationInstanceFailed,
    EventKind.TimerFired,
    EventKind.EventRaised,
)
_VERSION_MISMATCH = {
    "ErrorType": "VersionMismatch",
    "ErrorMessage": "Orchestration version did not comply with Worker Versioning",
    "StackTrace": None,
    "InnerFailure": None,
    "IsNonRetriable": True,
    "Properties": None,
}


@dataclass(frozen=True)
class _View:
    """The history as the code is to see it now."""

    events: list[Event]
    new_from: int
    suspended: bool
    terminated: Event | None


@dataclass(frozen=True)
class _Ending:
    """How an execution ends."""

    status: Status
    result: str | None
    failure_details: dict[str, object] | None = None


@dataclass(frozen=True)
class _Decision:
    """What a replay comes to."""

    actions: Sequence[Action]
    ending: _Ending | None
    outcome: OrchestratorOutcome
    next_id: int
    replayed: bool = True


def new_execution_id() -> str:
    """An execution id as the engine makes them."""
    return uuid.uuid4().hex


async def run_turn(
    code: FunctionCode,
    settings: HubSettings,
    instance_id: str,
    execution_id: str,
    past: Sequence[Event],
    new: Sequence[Event],
) -> TurnResult:
    """Replay an instance over its past and new events. Raises what the code's host raises, nothing of its own."""
    turn = _Turn(code, settings, instance_id, execution_id)
    return await turn.run(past, new)


class _Turn:
    def __init__(self, code: FunctionCode, settings: HubSettings, instance_id: str, execution_id: str) -> None:
        self._code = code
        self._settings = settings
        self._instance_id = instance_id
        self._execution_id = execution_id
        self._outbox = Outbox()
        # All messages of a turn name the execution that the turn began with, even those of a next generation.
        self._sender = Sender(instance_id, execution_id)
        self._episode = 0

    async def run(self, past: Sequence[Event], new: Sequence[Event]) -> TurnResult:
        events = [*past, make(EventKind.OrchestratorStarted), *new]
        first_new = len(past)
        self._episode = sum(event.kind is EventKind.OrchestratorStarted for event in events)
        while True:
            view = _view(events, first_new)
            started = next(event for event in events if event.kind is EventKind.ExecutionStarted)
            decision = await self._decide(started, view)
            if decision.replayed:
                events[first_new:] = [_mark_played(event) for event in events[first_new:]]
            for action in decision.actions:
                events.append(self._schedule(action, view, started))
            following = decision.outcome.continue_as_new
            if decision.ending is not None or following is None:
                break
            self._forward_unprocessed(view, decision.outcome)
            self._execution_id = new_execution_id()
            events = [
                make(EventKind.OrchestratorStarted),
                _next_generation(started, self._instance_id, self._execution_id, following.input),
                make(EventKind.OrchestratorCompleted),
            ]
            first_new = 0
        if decision.ending is not None:
            events.append(self._complete(decision.ending, decision.next_id, started))
        if events[-1].kind is not EventKind.OrchestratorCompleted:
            events.append(make(EventKind.OrchestratorCompleted))
        custom_status = decision.outcome.custom_status
        return TurnResult(self._execution_id, tuple(events), first_new, self._outbox, custom_status)

    # --- deciding ----------------------------------------------------------------------------------------------

    async def _decide(self, started: Event, view: _View) -> _Decision:
        nothing = OrchestratorOutcome()
        name = str(started["Name"])
        if decide(self._settings, started["Version"]) is VersionDecision.FAIL:
            return _Decision((), _Ending(Status.FAILED, None, dict(_VERSION_MISMATCH)), nothing, 0, replayed=False)
        if _has(self._code.orchestrators(), name):
            outcome = self._without_gone(name, await self._replay(name, started, view))
        else:
            # As if its code failed in the first line, which is a divergence when the history holds any call.
            outcome = OrchestratorOutcome(error=_gone(name, name, "an orchestrator"), scheduled_after={})
        scheduled = [event for event in view.events if event.kind in divergence.SCHEDULING]
        found = divergence.find(view.events, outcome.actions, outcome.scheduled_after)
        if found is not None:
            return _Decision(
                found.pending, _failure(found.message), replace(outcome, continue_as_new=None), found.next_id
            )
        recorded = {event.event_id for event in scheduled}
        next_id = max([action.id for action in outcome.actions] + sorted(recorded), default=-1) + 1
        fresh = [action for action in outcome.actions if action.id not in recorded]
        ended = outcome.completed or outcome.error is not None or outcome.continue_as_new is not None
        if view.terminated is not None and not ended:
            ending = _Ending(Status.TERMINATED, view.terminated["Input"])
            return _Decision(fresh, ending, replace(outcome, continue_as_new=None), next_id)
        if view.suspended:
            return _Decision((), None, replace(outcome, continue_as_new=None), next_id)
        if outcome.error is not None:
            return _Decision(fresh, _failure(outcome.error), replace(outcome, continue_as_new=None), next_id)
        if outcome.completed and outcome.continue_as_new is None:
            return _Decision(fresh, _Ending(Status.COMPLETED, outcome.output), outcome, next_id)
        return _Decision(fresh, None, outcome, next_id)

    async def _replay(self, name: str, started: Event, view: _View) -> OrchestratorOutcome:
        parent = started["ParentInstance"]
        history = [{**to_code(event), "IsPlayed": index < view.new_from} for index, event in enumerate(view.events)]
        return await self._code.run_orchestrator(
            OrchestratorTurn(
                name=name,
                instance_id=self._instance_id,
                execution_id=self._execution_id,
                parent_instance_id=parent["OrchestrationInstance"]["InstanceId"] if parent else None,
                input=started["Input"],
                history=history,
                new_events_from=view.new_from,
                version=started["Version"],
            )
        )

    def _without_gone(self, orchestrator: str, outcome: OrchestratorOutcome) -> OrchestratorOutcome:
        """A call of a function that is not there any more fails the code at that call, replayed or not."""
        for position, action in enumerate(outcome.actions):
            text = None
            if isinstance(action, CallActivity) and not _has(self._code.activities(), action.name):
                text = _gone(orchestrator, action.name, "an activity")
            elif isinstance(action, CallSubOrchestrator) and not _has(self._code.orchestrators(), action.name):
                text = _gone(orchestrator, action.name, "an orchestrator")
            if text is not None:
                return replace(
                    outcome,
                    actions=outcome.actions[:position],
                    completed=False,
                    output=None,
                    error=text,
                    continue_as_new=None,
                )
        return outcome

    # --- scheduling --------------------------------------------------------------------------------------------

    def _message(self, event: Event, instance_id: str, execution_id: str | None, *, call: bool = False) -> Message:
        return Message(event, instance_id, execution_id, self._sender, self._episode, in_orchestration=call)

    def _schedule(self, action: Action, view: _View, started: Event) -> Event:
        """Put an action's message into the outbox; returns the event that records it."""
        match action:
            case CallActivity():
                wrapped = f"[{action.input if action.input is not None else 'null'}]"
                event = make(EventKind.TaskScheduled, event_id=action.id, Name=action.name, Version="", Input=wrapped)
                self._outbox.work_items.append(self._message(event, self._instance_id, self._execution_id, call=True))
                return event
            case CreateTimer():
                fired = make(EventKind.TimerFired, TimerId=action.id, FireAt=action.fire_at)
                message = self._message(fired, self._instance_id, self._execution_id)
                self._outbox.delayed.append(Delayed(message, action.fire_at))
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
        self._outbox.to_instances.append(self._message(begun, child_id, child_execution, call=True))
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
            self._outbox.to_instances.append(message)
        else:
            self._outbox.delayed.append(Delayed(message, at))
        return make(EventKind.EventSent, event_id=event_id, InstanceId=receiver, Name=name, Input=text)

    def _request(self, action: SignalEntity | CallEntity, view: _View) -> Event:
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

    # --- ending ------------------------------------------------------------------------------------------------

    def _complete(self, ending: _Ending, event_id: int, started: Event) -> Event:
        completed = make(
            EventKind.ExecutionCompleted,
            event_id=event_id,
            OrchestrationStatus=ending.status.value,
            Result=ending.result,
            FailureDetails=ending.failure_details,
        )
        parent = started["ParentInstance"]
        if parent is not None:
            if ending.status is Status.COMPLETED:
                answer = make(
                    EventKind.SubOrchestrationInstanceCompleted,
                    TaskScheduledId=parent["TaskScheduleId"],
                    Result=ending.result,
                )
            else:
                answer = make(
                    EventKind.SubOrchestrationInstanceFailed,
                    TaskScheduledId=parent["TaskScheduleId"],
                    Reason=ending.result,
                    FailureDetails=ending.failure_details,
                )
            instance = parent["OrchestrationInstance"]
            self._outbox.to_instances.append(self._message(answer, instance["InstanceId"], instance["ExecutionId"]))
        return completed

    def _forward_unprocessed(self, view: _View, outcome: OrchestratorOutcome) -> None:
        """Continue-as-new sends the instance its own events again that the code has not waited for."""
        if outcome.continue_as_new is None or not outcome.continue_as_new.preserve_events:
            return
        if outcome.event_waits is None:
            return
        waits = Counter({name.lower(): count for name, count in outcome.event_waits.items()})
        for event in view.events:
            if event.kind is not EventKind.EventRaised:
                continue
            name = str(event["Name"]).lower()
            if waits[name] > 0:
                waits[name] -= 1
                continue
            raised = make(EventKind.EventRaised, Name=event["Name"], Input=event["Input"])
            self._outbox.to_instances.append(self._message(raised, self._instance_id, None))


def _view(events: Sequence[Event], first_new: int) -> _View:
    """Lay the history out for the code: while suspended events wait, and nothing comes after a terminate."""
    visible: list[Event] = []
    held: list[Event] = []
    suspended = False
    new_from = 0
    for index, event in enumerate(events):
        if index == first_new:
            new_from = len(visible)
        if event.kind is EventKind.ExecutionTerminated:
            return _View(visible, new_from, suspended, event)
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
    return _View(visible, new_from, suspended, None)


def _mark_played(event: Event) -> Event:
    return event if event.kind is EventKind.OrchestratorStarted else event.played()


def _next_generation(started: Event, instance_id: str, execution_id: str, text: str | None) -> Event:
    return make(
        EventKind.ExecutionStarted,
        ParentInstance=started["ParentInstance"],
        Name=started["Name"],
        Version=started["Version"],
        Input=text,
        Tags=started["Tags"],
        GenerateNewTrace=False,
        OrchestrationInstance={"InstanceId": instance_id, "ExecutionId": execution_id},
    )


def _failure(text: str) -> _Ending:
    return _Ending(Status.FAILED, text)


def _gone(orchestrator: str, name: str, what: str) -> str:
    return (
        f"Orchestrator function '{orchestrator}' failed: The function '{name}' doesn't exist, is disabled, "
        f"or is not {what} function."
    )


def _has(names: Collection[str], name: str) -> bool:
    return name in names or name.lower() in {known.lower() for known in names}
