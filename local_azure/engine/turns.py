"""What a turn of an orchestration or entity results in: events to write, messages to put, the row's status."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from local_azure.engine.history import Event
from local_azure.engine.messages import Message


@dataclass(frozen=True)
class Delayed:
    """A message that is to become visible at a moment."""

    message: Message
    at: datetime


@dataclass
class Outbox:
    """The messages of a turn. They are put before the history is written."""

    to_instances: list[Message] = field(default_factory=list)
    work_items: list[Message] = field(default_factory=list)
    delayed: list[Delayed] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.to_instances) + len(self.work_items) + len(self.delayed)


@dataclass(frozen=True)
class TurnResult:
    """The effect of a turn, nothing of it stored yet.

    `events` are all events of the execution that stands after the turn; those from `first_new` on are to be written.
    """

    execution_id: str
    events: tuple[Event, ...]
    first_new: int
    outbox: Outbox
    custom_status: str | None

    @property
    def new_events(self) -> tuple[Event, ...]:
        """The events to be written."""
        return self.events[self.first_new :]
