"""What the engine wants from the code that it runs: turns in, actions out.

The engine knows storage and knows nothing of Python functions; the Functions host knows the functions and nothing of
storage. Payloads cross this border as JSON *text*, exactly as they stand in messages and rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

# One history event in the form in which the extension hands it to out-of-process workers: `EventType` is the number
# (EventKind), then `EventId`, `IsPlayed`, `Timestamp` ("2026-11-21T19:38:54.1983779Z") and the event's own fields
# (`Name`, `Input`, `Result`, `TaskScheduledId`, `TimerId`, `FireAt`, `Reason`, `Details`, `InstanceId`, `Version` …).
HistoryEvent = Mapping[str, Any]


@dataclass(frozen=True)
class EntityId:
    """An entity: its name in lower case and its key."""

    name: str
    key: str

    @property
    def instance_id(self) -> str:
        """The id of the orchestration instance that carries the entity."""
        return f"@{self.name.lower()}@{self.key}"

    @classmethod
    def parse(cls, instance_id: str) -> EntityId | None:
        """Read `@name@key`; None when the id is not an entity's."""
        if not instance_id.startswith("@"):
            return None
        name, separator, key = instance_id[1:].partition("@")
        return cls(name, key) if separator and name else None


# --- orchestrators -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CallActivity:
    """Schedule an activity. A retry of an activity is one more CallActivity with an id of its own."""

    id: int
    name: str
    input: str | None = None


@dataclass(frozen=True)
class CreateTimer:
    """Schedule a timer (a retry's waiting time included). `fire_at` is aware."""

    id: int
    fire_at: datetime


@dataclass(frozen=True)
class CallSubOrchestrator:
    """Schedule a child. Without an instance id the engine makes one; without a version the default applies."""

    id: int
    name: str
    input: str | None = None
    instance_id: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class SendEvent:
    """Send an event to another orchestration instance."""

    id: int
    instance_id: str
    name: str
    input: str | None = None


@dataclass(frozen=True)
class SignalEntity:
    """One-way operation on an entity, delayed until `scheduled_time` when that is given."""

    id: int
    entity: EntityId
    operation: str
    input: str | None = None
    scheduled_time: datetime | None = None


@dataclass(frozen=True)
class CallEntity:
    """Operation on an entity with an answer.

    The engine makes the request id: it stands as `id` in the JSON text of the EventSent event's `Input`, and the
    answer comes as EventRaised whose `Name` is that id and whose `Input` is `{"result": …}`.
    """

    id: int
    entity: EntityId
    operation: str
    input: str | None = None


Action = CallActivity | CreateTimer | CallSubOrchestrator | SendEvent | SignalEntity | CallEntity


@dataclass(frozen=True)
class ContinueAsNew:
    """End this execution and begin the next one of the same instance."""

    input: str | None
    preserve_events: bool = True


@dataclass(frozen=True)
class OrchestratorTurn:
    """One replay: the whole history, past events first (IsPlayed true), then this turn's from `new_events_from` on."""

    name: str
    instance_id: str
    execution_id: str
    parent_instance_id: str | None
    input: str | None
    history: Sequence[HistoryEvent]
    new_events_from: int
    version: str | None = None


@dataclass(frozen=True)
class OrchestratorOutcome:
    """What a replay did.

    `actions` are ALL actions since the execution began, each with the id under which the SDK expects its result
    (the engine uses it as EventId, schedules the ones that the history lacks and compares the others).
    `error` ends the instance as Failed and is its output as it stands ("Orchestrator function 'X' failed: …");
    `output` and `custom_status` are JSON text.
    `scheduled_after` says for each action id during which event of `turn.history` (by index) the code scheduled it.
    Without it divergence is still found by number, kind and name, but not by order.
    `event_waits` counts how often the code has waited for each event name: with it, continue-as-new that preserves
    events sends the others again.
    """

    actions: tuple[Action, ...] = ()
    completed: bool = False
    output: str | None = None
    error: str | None = None
    error_details: str | None = None
    custom_status: str | None = None
    continue_as_new: ContinueAsNew | None = None
    scheduled_after: Mapping[int, int] | None = None
    event_waits: Mapping[str, int] | None = None


# --- activities --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ActivityCall:
    """One execution of an activity. `input` is JSON text; `attempt` counts deliveries of the message from 1."""

    name: str
    instance_id: str
    execution_id: str
    task_id: int
    input: str | None
    attempt: int = 1


@dataclass(frozen=True)
class ActivityOutcome:
    """JSON text of the result, or the failure: `error` is the reason ("Activity function 'X' failed: …")."""

    result: str | None = None
    error: str | None = None
    error_details: str | None = None


# --- entities ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EntityOperation:
    """One operation of a batch; `is_signal` ones want no answer."""

    name: str
    input: str | None
    request_id: str
    is_signal: bool


@dataclass(frozen=True)
class EntityBatch:
    """The operations that one turn of an entity has to do, in order, and the state before them."""

    entity: EntityId
    exists: bool
    state: str | None
    operations: Sequence[EntityOperation]


@dataclass(frozen=True)
class EntityOperationResult:
    """Answer to one operation: JSON text of the result, or of the error's text when `is_error`."""

    result: str | None
    is_error: bool = False


@dataclass(frozen=True)
class EntitySignal:
    """A signal that the entity sent while it worked."""

    entity: EntityId
    operation: str
    input: str | None = None
    scheduled_time: datetime | None = None


@dataclass(frozen=True)
class EntityOutcome:
    """State after the batch and one result for each operation, in the same order."""

    exists: bool
    state: str | None
    results: Sequence[EntityOperationResult]
    signals: Sequence[EntitySignal] = field(default=())


class FunctionCode(Protocol):
    """The functions of one app. The name sets answer what exists *now*; entity names are lower case.

    An exception out of a run_… method is a fault of the host, not of the user's code: the engine puts the message
    back and tries again later. Failures of user code are outcomes with `error` set.
    """

    def orchestrators(self) -> Collection[str]:
        """Names of the orchestrators."""
        ...

    def activities(self) -> Collection[str]:
        """Names of the activities."""
        ...

    def entities(self) -> Collection[str]:
        """Names of the entities, lower case."""
        ...

    async def run_orchestrator(self, turn: OrchestratorTurn) -> OrchestratorOutcome:
        """Replay an orchestrator over its history."""
        ...

    async def run_activity(self, call: ActivityCall) -> ActivityOutcome:
        """Run an activity once."""
        ...

    async def run_entity(self, batch: EntityBatch) -> EntityOutcome:
        """Run the operations of a batch on an entity, in order."""
        ...
