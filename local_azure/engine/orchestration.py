"""One turn of an orchestration: replay, comparison with the history, new events and messages. No storage."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from local_azure.engine import divergence
from local_azure.engine.code import (
    Action,
    CallActivity,
    CallSubOrchestrator,
    FunctionCode,
    OrchestratorOutcome,
    OrchestratorTurn,
)
from local_azure.engine.history import Event, EventKind, make, to_code
from local_azure.engine.instances import Status
from local_azure.engine.sending import Sending, new_execution_id
from local_azure.engine.settings import HubSettings
from local_azure.engine.turns import TurnResult
from local_azure.engine.versions import VersionDecision, decide
from local_azure.engine.view import View, lay_out

_VERSION_MISMATCH = {
    "ErrorType": "VersionMismatch",
    "ErrorMessage": "Orchestration version did not comply with Worker Versioning",
    "StackTrace": None,
    "InnerFailure": None,
    "IsNonRetriable": True,
    "Properties": None,
}


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

    async def run(self, past: Sequence[Event], new: Sequence[Event]) -> TurnResult:
        events = [*past, make(EventKind.OrchestratorStarted), *new]
        first_new = len(past)
        episode = sum(event.kind is EventKind.OrchestratorStarted for event in events)
        sending = Sending(self._settings, self._instance_id, self._execution_id, episode)
        while True:
            view = lay_out(events, first_new)
            started = next(event for event in events if event.kind is EventKind.ExecutionStarted)
            decision = await self._decide(started, view)
            if decision.replayed:
                events[first_new:] = [_mark_played(event) for event in events[first_new:]]
            events += [sending.schedule(action, view, started) for action in decision.actions]
            outcome, following = decision.outcome, decision.outcome.continue_as_new
            if decision.ending is not None or following is None:
                break
            if following.preserve_events and outcome.event_waits is not None:
                sending.forward_unprocessed(view, outcome.event_waits)
            self._execution_id = new_execution_id()
            sending.continue_as(self._execution_id)
            events = [
                make(EventKind.OrchestratorStarted),
                _next_generation(started, self._instance_id, self._execution_id, following.input),
                make(EventKind.OrchestratorCompleted),
            ]
            first_new = 0
        if decision.ending is not None:
            completed = _completed(decision.ending, decision.next_id)
            sending.answer_parent(started, completed)
            events.append(completed)
        if events[-1].kind is not EventKind.OrchestratorCompleted:
            events.append(make(EventKind.OrchestratorCompleted))
        return TurnResult(self._execution_id, tuple(events), first_new, sending.outbox, outcome.custom_status)

    # --- deciding ----------------------------------------------------------------------------------------------

    async def _decide(self, started: Event, view: View) -> _Decision:
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

    async def _replay(self, name: str, started: Event, view: View) -> OrchestratorOutcome:
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


def _completed(ending: _Ending, event_id: int) -> Event:
    return make(
        EventKind.ExecutionCompleted,
        event_id=event_id,
        OrchestrationStatus=ending.status.value,
        Result=ending.result,
        FailureDetails=ending.failure_details,
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
