"""Replay one orchestrator with the SDK's own executor, and translate what it did into the engine's actions.

The SDK numbers every task itself, the hidden timers of retries included; a subclass of its context notes each number
as it is given, so nothing of that numbering is done a second time here.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.durable_functions.models.actions.ActionType import ActionType
from azure.durable_functions.models.actions.ContinueAsNewAction import ContinueAsNewAction
from azure.durable_functions.models.actions.NoOpAction import NoOpAction
from azure.durable_functions.models.actions.SignalEntityAction import SignalEntityAction
from azure.durable_functions.models.DurableOrchestrationContext import DurableOrchestrationContext
from azure.durable_functions.models.Task import AtomicTask, RetryAbleTask
from azure.durable_functions.models.TaskOrchestrationExecutor import TaskOrchestrationExecutor
from azure.durable_functions.orchestrator import Orchestrator

from local_azure.engine.code import (
    Action,
    CallActivity,
    CallEntity,
    CallSubOrchestrator,
    ContinueAsNew,
    CreateTimer,
    EntityId,
    OrchestratorOutcome,
    OrchestratorTurn,
    SignalEntity,
)

from .builtin_http import HTTP_ACTIVITY
from .payload import quoted, unquoted

OUT_OF_PROCESS_MARK = "\n\n$OutOfProcData$:"
REPLAY_SCHEMA = 2  # the SDK's V3: long timers are cut into shorter ones
LONGEST_TIMER = "6.00:00:00"
LONG_TIMER_STEP = "3.00:00:00"


class RecordingContext(DurableOrchestrationContext):  # type: ignore[misc]  # the SDK has no types
    """The SDK's context, which also notes what each sequence number stands for."""

    def __init__(self, **arguments: Any) -> None:
        self.recorded: dict[int, Action] = {}
        self.scheduled_after: dict[int, int] = {}
        self.event_waits: Counter[str] = Counter()
        self.position = 1  # of the event in work; an orchestrator without yield runs whole at ExecutionStarted
        self.next_input: str | None = None
        super().__init__(**arguments)

    def _add_to_open_tasks(self, task: Any) -> None:
        fresh = isinstance(task, AtomicTask) and task.id is None and not task._is_scheduled
        if fresh:  # noted before the SDK adds it: a result that waits already may add further tasks behind it
            self._record(self._translate(self._sequence_number, task))
        elif isinstance(task, AtomicTask) and isinstance(task.id, str) and not task._is_scheduled:
            self.event_waits[task.id] += 1
        super()._add_to_open_tasks(task)

    def _record_fire_and_forget_action(self, action: Any) -> None:
        number, ended = self._sequence_number, self.will_continue_as_new
        super()._record_fire_and_forget_action(action)
        if ended:
            return
        if isinstance(action, ContinueAsNewAction):
            self.next_input = quoted(action.input_)
        elif isinstance(action, SignalEntityAction):
            self._record(SignalEntity(number, _entity(action.instance_id), action.operation, quoted(action.input_)))

    def _record(self, action: Action) -> None:
        self.recorded[action.id] = action
        self.scheduled_after[action.id] = self.position

    def _translate(self, number: int, task: Any) -> Action:
        action = task.action_repr
        if isinstance(action, NoOpAction):  # a retry: first its waiting time, then the call once more
            retry = task.parent
            assert isinstance(retry, RetryAbleTask)
            if action.metadata == "-WithRetry timer":
                wait = timedelta(milliseconds=retry.retry_options.first_retry_interval_in_milliseconds)
                return CreateTimer(number, _aware(self.current_utc_datetime) + wait)
            action = retry.actions
        kind = action.action_type
        if kind in (ActionType.CALL_ACTIVITY, ActionType.CALL_ACTIVITY_WITH_RETRY):
            return CallActivity(number, action.function_name, quoted(action.input_))
        if kind == ActionType.CALL_HTTP:
            return CallActivity(number, HTTP_ACTIVITY, json.dumps(action.http_request.to_json()))
        if kind == ActionType.CREATE_TIMER:
            return CreateTimer(number, _aware(action.fire_at))
        if kind in (ActionType.CALL_SUB_ORCHESTRATOR, ActionType.CALL_SUB_ORCHESTRATOR_WITH_RETRY):
            return CallSubOrchestrator(
                number, action.function_name, quoted(action._input), action.instance_id or None, action.version
            )
        if kind == ActionType.CALL_ENTITY:
            return CallEntity(number, _entity(action.instance_id), action.operation, quoted(action.input_))
        raise NotImplementedError(f"expected a known kind of orchestrator action, found {type(action).__name__}")


class RecordingExecutor(TaskOrchestrationExecutor):  # type: ignore[misc]  # the SDK has no types
    """The SDK's executor, which also tells the context which event of the history it has come to."""

    def execute(self, context: RecordingContext, history: list[Any], fn: Callable[..., Any]) -> str:
        """Replay from the first event."""
        self._position = -1
        return str(super().execute(context, history, fn))

    def process_event(self, event: Any) -> None:
        """Go on with the next event."""
        self._position += 1
        self.context.position = self._position
        super().process_event(event)


def replay(turn: OrchestratorTurn, user_function: Callable[..., Any], input_type: type | None) -> OrchestratorOutcome:
    """Run the whole history through the user's generator and say everything that it has asked for so far."""
    context = RecordingContext(
        history=[_event(event) for event in turn.history],
        instanceId=turn.instance_id,
        isReplaying=turn.new_events_from > 0,
        parentInstanceId=turn.parent_instance_id,
        input=unquoted(turn.input),
        upperSchemaVersion=REPLAY_SCHEMA,
        maximumShortTimerDuration=LONGEST_TIMER,
        longRunningTimerIntervalDuration=LONG_TIMER_STEP,
    )
    context._input_expected_type = input_type
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the SDK warns of duplicates that it then handles
            orchestrator = Orchestrator(user_function)
            orchestrator.task_orchestration_executor = RecordingExecutor()
            state = json.loads(orchestrator.handle(context))
    except Exception as error:  # noqa: BLE001 - a failure of user code is an outcome
        return _failed(turn, context, error)
    custom_status = json.dumps(state["customStatus"]) if "customStatus" in state else None
    if context.will_continue_as_new:
        following = ContinueAsNew(context.next_input)
        return replace(_outcome(context), completed=True, custom_status=custom_status, continue_as_new=following)
    done = bool(state["isDone"])
    output = json.dumps(state.get("output")) if done else None
    return replace(_outcome(context), completed=done, output=output, custom_status=custom_status)


def _failed(turn: OrchestratorTurn, context: RecordingContext, error: Exception) -> OrchestratorOutcome:
    """The SDK raises a failure of user code as text with its state behind a mark; other errors have no mark."""
    reason, mark, state_text = str(error).partition(OUT_OF_PROCESS_MARK)
    state: dict[str, Any] = json.loads(state_text) if mark else {}
    cause = error.__cause__ if mark and error.__cause__ is not None else error
    reason = state.get("error") or reason or str(type(cause))
    return replace(
        _outcome(context),
        completed=True,
        error=f"Orchestrator function '{turn.name}' failed: {reason}",
        error_details=f"{type(cause).__name__}: {cause}",
        custom_status=json.dumps(state["customStatus"]) if "customStatus" in state else None,
    )


def _outcome(context: RecordingContext) -> OrchestratorOutcome:
    return OrchestratorOutcome(
        actions=tuple(action for _, action in sorted(context.recorded.items())),
        scheduled_after=dict(context.scheduled_after),
        event_waits=dict(context.event_waits),
    )


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    # The SDK reads Version without asking whether it is there.
    return {"Version": None, **event}


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _entity(instance_id: str) -> EntityId:
    entity = EntityId.parse(instance_id)
    assert entity is not None, instance_id
    return entity
