"""Instances as the task hub shows them: status, filter, page."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


class Status(enum.StrEnum):
    """Runtime status; the value is the text of the `RuntimeStatus` column."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    CONTINUED_AS_NEW = "ContinuedAsNew"
    FAILED = "Failed"
    CANCELED = "Canceled"
    TERMINATED = "Terminated"
    PENDING = "Pending"
    SUSPENDED = "Suspended"
    UNKNOWN = "Unknown"

    @property
    def is_terminal(self) -> bool:
        """Whether an instance of this status has ended."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELED, Status.TERMINATED)

    @classmethod
    def parse(cls, text: str | None) -> Status:
        """Read the column; a text that is none of ours is Unknown."""
        try:
            return cls(text or "Unknown")
        except ValueError:
            return cls.UNKNOWN


@dataclass(frozen=True)
class InstanceState:
    """One row of the Instances table. Payloads are JSON text, fetched from their blobs when they are large."""

    instance_id: str
    name: str
    version: str | None
    execution_id: str
    status: Status
    input: str | None
    output: str | None
    custom_status: str | None
    created_time: datetime
    last_updated_time: datetime
    completed_time: datetime | None
    scheduled_start_time: datetime | None
    generation: int
    tags: str | None
    hub_name: str | None


@dataclass(frozen=True)
class InstanceFilter:
    """What a list asks for; empty fields ask for nothing."""

    statuses: Sequence[Status] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    id_prefix: str | None = None
    task_hubs: Sequence[str] = ()
    exclude_entities: bool = False
    fetch_input: bool = True
    fetch_output: bool = True


@dataclass(frozen=True)
class InstancePage:
    """One page of a list. The last one has no token; a page may be empty and yet not be the last."""

    instances: tuple[InstanceState, ...]
    continuation_token: str | None


@dataclass(frozen=True)
class EntityState:
    """An entity as the management API shows it; `state` is JSON text."""

    name: str
    key: str
    state: str | None
    exists: bool
    last_operation_time: datetime


@dataclass(frozen=True)
class EntityPage:
    """One page of entities."""

    entities: tuple[EntityState, ...]
    continuation_token: str | None
