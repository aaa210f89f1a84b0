"""A small FunctionCode of its own: orchestrators are generators over a context, activities plain async functions."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Generator
from datetime import datetime, timedelta
from typing import Any

from local_azure.engine.code import (
    Action,
    ActivityCall,
    ActivityOutcome,
    CallActivity,
    CallEntity,
    CallSubOrchestrator,
    ContinueAsNew,
    CreateTimer,
    EntityBatch,
    EntityId,
    EntityOperationResult,
    EntityOutcome,
    OrchestratorOutcome,
    OrchestratorTurn,
    SendEvent,
    SignalEntity,
)
from local_azure.engine.history import EventKind
from local_azure.engine.times import from_text

Orchestrator = Callable[["Context"], Generator["Task", Any, Any]]
Activity = Callable[[Any], Awaitable[Any]]


class TaskFailure(Exception):
    """An activity or a child failed; the text is its reason."""


class Task:
    """Something that an orchestrator waits for."""

    def __init__(self, needs: int = 1, children: list[Task] | None = None) -> None:
        self.done = False
        self.value: Any = None
        self.error: str | None = None
        self.children = children or []
        self._needs = needs

    def finished(self) -> bool:
        """Whether the orchestrator may go on."""
        if not self.children:
            return self.done
        return sum(child.finished() for child in self.children) >= self._needs

    def result(self) -> Any:
        """The value, or the failure."""
        if self.children:
            if self._needs == 1:
                return next(child for child in self.children if child.finished())
            return [child.result() for child in self.children]
        if self.error is not None:
            raise TaskFailure(self.error)
        return self.value


class Context:
    """What an orchestrator gets."""

    def __init__(self, turn: OrchestratorTurn) -> None:
        self.turn = turn
        self.input = json.loads(turn.input) if turn.input else None
        self.now: datetime = from_text(turn.history[0]["Timestamp"])
        self.custom_status: Any = None
        self.actions: list[Action] = []
        self.scheduled_after: dict[int, int] = {}
        self.index = 0
        self.continued: ContinueAsNew | None = None
        self.by_id: dict[int, Task] = {}
        self.by_event: dict[str, list[Task]] = defaultdict(list)
        self.buffered: dict[str, list[Any]] = defaultdict(list)
        self.waits: Counter[str] = Counter()

    def _next_id(self) -> int:
        return len(self.actions)

    def _add(self, action: Action) -> Task:
        self.scheduled_after[action.id] = self.index
        self.actions.append(action)
        task = self.by_id[action.id] = Task()
        return task

    def activity(self, name: str, argument: Any = None) -> Task:
        return self._add(CallActivity(self._next_id(), name, json.dumps(argument)))

    def child(self, name: str, argument: Any = None, instance_id: str | None = None) -> Task:
        return self._add(CallSubOrchestrator(self._next_id(), name, json.dumps(argument), instance_id))

    def timer(self, seconds: float) -> Task:
        return self._add(CreateTimer(self._next_id(), self.now + timedelta(seconds=seconds)))

    def send(self, instance_id: str, name: str, argument: Any = None) -> None:
        self._add(SendEvent(self._next_id(), instance_id, name, json.dumps(argument)))

    def signal(self, entity: EntityId, operation: str, argument: Any = None) -> None:
        self._add(SignalEntity(self._next_id(), entity, operation, json.dumps(argument)))

    def call(self, entity: EntityId, operation: str, argument: Any = None) -> Task:
        return self._add(CallEntity(self._next_id(), entity, operation, json.dumps(argument)))

    def event(self, name: str) -> Task:
        task = Task()
        self.waits[name] += 1
        if self.buffered[name]:
            task.done, task.value = True, self.buffered[name].pop(0)
        else:
            self.by_event[name].append(task)
        return task

    def all(self, *tasks: Task) -> Task:
        return Task(len(tasks), list(tasks))

    def any(self, *tasks: Task) -> Task:
        return Task(1, list(tasks))

    def continue_as_new(self, argument: Any) -> None:
        self.continued = ContinueAsNew(json.dumps(argument))


class FakeCode:
    """Functions by name. `runs` counts the executions of each activity by its argument."""

    def __init__(
        self,
        orchestrators: dict[str, Orchestrator] | None = None,
        activities: dict[str, Activity] | None = None,
        entities: dict[str, Callable[[Any, str, Any], tuple[Any, Any]]] | None = None,
    ) -> None:
        self._orchestrators = orchestrators or {}
        self._activities = activities or {}
        self._entities = entities or {}
        self.runs: Counter[str] = Counter()
        self.turns: list[OrchestratorTurn] = []

    def orchestrators(self) -> Collection[str]:
        return self._orchestrators

    def activities(self) -> Collection[str]:
        return self._activities

    def entities(self) -> Collection[str]:
        return self._entities

    async def run_orchestrator(self, turn: OrchestratorTurn) -> OrchestratorOutcome:
        self.turns.append(turn)
        context = Context(turn)
        output: Any = None
        completed, error = False, None
        try:
            output = self._replay(context, self._orchestrators[turn.name](context))
            completed = output is not _WAITING
        except Exception as failure:  # noqa: BLE001 - user code may raise anything
            error = f"Orchestrator function '{turn.name}' failed: {failure}"
        return OrchestratorOutcome(
            actions=tuple(context.actions),
            completed=completed and context.continued is None,
            output=json.dumps(output) if completed else None,
            error=error,
            custom_status=json.dumps(context.custom_status) if context.custom_status is not None else None,
            continue_as_new=context.continued,
            scheduled_after=context.scheduled_after,
            event_waits=context.waits,
        )

    def _replay(self, context: Context, generator: Generator[Task, Any, Any]) -> Any:
        current: Task | None = None
        for index, event in enumerate(context.turn.history):
            context.index = index
            kind = EventKind(event["EventType"])
            if kind is EventKind.OrchestratorStarted:
                context.now = max(context.now, from_text(event["Timestamp"]))
            elif kind is EventKind.ExecutionStarted:
                current, output = _advance(generator, None)
                if current is None:
                    return output
            else:
                _apply(context, kind, event)
            while current is not None and current.finished():
                current, output = _advance(generator, current)
                if current is None:
                    return output
        return _WAITING

    async def run_activity(self, call: ActivityCall) -> ActivityOutcome:
        self.runs[f"{call.instance_id}/{call.name}/{call.input}"] += 1
        try:
            result = await self._activities[call.name](json.loads(call.input) if call.input else None)
        except Exception as failure:  # noqa: BLE001 - user code may raise anything
            return ActivityOutcome(error=f"Activity function '{call.name}' failed: {failure}", error_details="stack")
        return ActivityOutcome(json.dumps(result))

    async def run_entity(self, batch: EntityBatch) -> EntityOutcome:
        state = json.loads(batch.state) if batch.state else None
        results = []
        for operation in batch.operations:
            argument = json.loads(operation.input) if operation.input else None
            try:
                state, result = self._entities[batch.entity.name](state, operation.name, argument)
                results.append(EntityOperationResult(json.dumps(result)))
            except Exception as failure:  # noqa: BLE001 - user code may raise anything
                results.append(EntityOperationResult(json.dumps(str(failure)), is_error=True))
        return EntityOutcome(state is not None, json.dumps(state) if state is not None else None, results)


_WAITING = object()


def _advance(generator: Generator[Task, Any, Any], finished: Task | None) -> tuple[Task | None, Any]:
    try:
        if finished is None:
            return next(generator), None
        try:
            value = finished.result()
        except TaskFailure as failure:
            return generator.throw(failure), None
        return generator.send(value), None
    except StopIteration as stop:
        return None, stop.value


def _apply(context: Context, kind: EventKind, event: Any) -> None:
    key = event.get("TaskScheduledId") if kind is not EventKind.TimerFired else event["TimerId"]
    if kind is EventKind.EventSent and event["Name"] == "op":
        body = json.loads(event["Input"])
        if not body.get("signal"):
            context.by_event[body["id"]].append(context.by_id[event["EventId"]])
    elif kind is EventKind.EventRaised:
        _raise(context, str(event["Name"]), json.loads(event["Input"]) if event["Input"] else None)
    elif kind in (EventKind.TaskFailed, EventKind.SubOrchestrationInstanceFailed):
        if key in context.by_id:
            context.by_id[key].done, context.by_id[key].error = True, event["Reason"]
    elif key is not None and key in context.by_id and not context.by_id[key].done:
        result = event.get("Result")
        context.by_id[key].done, context.by_id[key].value = True, json.loads(result) if result else None


def _raise(context: Context, name: str, value: Any) -> None:
    if context.by_event[name]:
        task = context.by_event[name].pop(0)
        task.done = True
        task.value = json.loads(value["result"]) if isinstance(value, dict) and "result" in value else value
    else:
        context.buffered[name].append(value)
