"""A hub in memory: the engine's pure parts with a queue and a dict instead of storage. Timers fire at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from local_azure.engine import orchestration
from local_azure.engine.activities import unwrap
from local_azure.engine.code import ActivityCall, FunctionCode
from local_azure.engine.history import Event, EventKind, make
from local_azure.engine.history_store import StoredHistory
from local_azure.engine.inbox import may_start
from local_azure.engine.messages import Message
from local_azure.engine.sending import new_execution_id
from local_azure.engine.settings import HubSettings
from local_azure.engine.turns import TurnResult

SETTINGS = HubSettings("Memory", "AccountName=x;AccountKey=eA==")


@dataclass
class Instance:
    """What is known of an instance."""

    execution_id: str = ""
    events: tuple[Event, ...] = ()
    custom_status: str | None = None

    @property
    def completed(self) -> Event | None:
        """The event that ended it."""
        return next((event for event in self.events if event.kind is EventKind.ExecutionCompleted), None)

    @property
    def status(self) -> str:
        """Runtime status, as the row would show it."""
        if self.completed is not None:
            return str(self.completed["OrchestrationStatus"])
        return "Running" if self.events else "Pending"

    @property
    def output(self) -> str | None:
        """The output."""
        return None if self.completed is None else self.completed["Result"]


@dataclass
class MemoryHub:
    """Instances and messages."""

    settings: HubSettings = SETTINGS
    instances: dict[str, Instance] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)

    def start(self, name: str, text: str | None, instance_id: str, *, version: str | None = None) -> None:
        """Accept a start."""
        execution_id = new_execution_id()
        event = make(
            EventKind.ExecutionStarted,
            Name=name,
            Input=text,
            Version=version,
            OrchestrationInstance={"InstanceId": instance_id, "ExecutionId": execution_id},
        )
        self.messages.append(Message(event, instance_id, execution_id))

    def send(self, instance_id: str, event: Event) -> None:
        """Accept a message to an instance."""
        self.messages.append(Message(event, instance_id, None))

    async def settle(self, code: FunctionCode) -> None:
        """Work until there are no messages."""
        while self.messages:
            await self._deliver(code, self.messages.pop(0))

    async def _deliver(self, code: FunctionCode, message: Message) -> None:
        instance = self.instances.setdefault(message.instance_id, Instance())
        if message.kind is EventKind.ExecutionStarted:
            if not may_start(message.event, StoredHistory(instance.execution_id, list(instance.events))):
                return
            instance.execution_id, instance.events = message.execution_id or "", ()
        elif not instance.events or message.execution_id not in (None, instance.execution_id):
            return
        if instance.completed is not None:
            return
        result = await orchestration.run_turn(
            code, self.settings, message.instance_id, instance.execution_id, instance.events, [message.event]
        )
        await self._store(code, instance, result)

    async def _store(self, code: FunctionCode, instance: Instance, result: TurnResult) -> None:
        instance.execution_id, instance.events = result.execution_id, result.events
        instance.custom_status = result.custom_status
        self.messages += result.outbox.to_instances
        self.messages += [delayed.message for delayed in result.outbox.delayed]
        for item in result.outbox.work_items:
            call = ActivityCall(
                str(item.event["Name"]),
                item.instance_id,
                item.execution_id or "",
                item.event.event_id,
                unwrap(item.event["Input"]),
            )
            outcome = await code.run_activity(call)
            kind = EventKind.TaskCompleted if outcome.error is None else EventKind.TaskFailed
            fields = {"Result": outcome.result} if outcome.error is None else {"Reason": outcome.error}
            answer = make(kind, TaskScheduledId=item.event.event_id, **fields)
            self.messages.append(Message(answer, item.instance_id, item.execution_id))
