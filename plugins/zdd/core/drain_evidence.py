"""What a drain verdict rests on: counts, blockers, queues and timers, for the log, the UI and the release record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from zdd.core.instances import InstanceRow
from zdd.core.observation import QueueReading

OLDEST_SHOWN = 10
ENTITIES_SHOWN = 5


class Source(StrEnum):
    """Where the status of the instances was read."""

    TABLES = "tables"
    HTTP_API = "http_api"
    STATUS_CHECK = "status_check"


@dataclass(frozen=True)
class Blocker:
    """One instance in flight."""

    instance_id: str
    name: str = ""
    status: str = ""
    version: str = ""
    hub_name: str | None = None
    age_seconds: float | None = None

    def __str__(self) -> str:
        age = "" if self.age_seconds is None else f", {describe_seconds(self.age_seconds)} old"
        return f"{self.name or 'an orchestration'} {self.instance_id!r} ({self.status or 'status not known'}{age})"


@dataclass(frozen=True)
class QueueEvidence:
    """One queue: messages counted, visible, hidden; and how many of the hidden ones the timers do not explain."""

    name: str
    count: int
    visible: int
    hidden: int
    unexplained: int = 0


@dataclass(frozen=True)
class DrainEvidence:
    """Everything that a verdict saw. `complete` is False where a poll read one witness only, or a scan was cut."""

    hub: str
    source: Source = Source.TABLES
    complete: bool = False
    by_status: tuple[tuple[str, int], ...] = ()
    by_function: tuple[tuple[str, int], ...] = ()
    by_version: tuple[tuple[str, int], ...] = ()
    blockers: tuple[Blocker, ...] = ()
    entities: int = 0
    entity_ids: tuple[str, ...] = ()
    other_hubs_rows: int = 0
    rows_changed: int = 0
    pages: int = 0
    queues: tuple[QueueEvidence, ...] = ()
    messages_counted: int = 0
    messages_discarded: int = 0
    timers_to_come: int = 0
    hidden_unexplained: int = 0
    quiet_since: datetime | None = None
    quiet_until: datetime | None = None
    read_at: datetime | None = None
    duration_seconds: float = 0.0
    requests: int = 0
    cannot_see: tuple[str, ...] = ()

    @property
    def in_flight(self) -> int:
        """How many live instances the rows showed."""
        return sum(count for _, count in self.by_status)

    def to_json(self) -> dict[str, Any]:
        """Small dict without secrets; empty parts are left out."""
        data = asdict(self)
        for key in ("quiet_since", "quiet_until", "read_at"):
            data[key] = data[key].isoformat() if data[key] else None
        for key in ("by_status", "by_function", "by_version"):
            data[key] = dict(data[key])
        data["blockers"] = [
            {name: value for name, value in blocker.items() if value not in ("", None)} for blocker in data["blockers"]
        ]
        data["queues"] = [asdict(queue) for queue in self.queues if queue.count or queue.visible]
        data["source"] = self.source.value
        for key in ("entity_ids", "cannot_see"):
            data[key] = list(data[key])
        data["in_flight"] = self.in_flight
        data["duration_seconds"] = round(self.duration_seconds, 3)
        kept = {"hub", "source", "complete", "in_flight"}
        return {key: value for key, value in data.items() if key in kept or value not in (None, (), [], {}, 0, 0.0)}


def count_rows(rows: Iterable[InstanceRow]) -> dict[str, tuple[tuple[str, int], ...]]:
    """Live rows by status, function name and version, the most frequent first."""
    rows = tuple(rows)
    return {
        "by_status": tuple(Counter(row.status.value for row in rows).most_common()),
        "by_function": tuple(Counter(row.name or "?" for row in rows).most_common(20)),
        "by_version": tuple(Counter(row.version or "none" for row in rows).most_common(20)),
    }


def oldest(rows: Iterable[InstanceRow], now: datetime) -> tuple[Blocker, ...]:
    """The instances in flight that were created first, with their age."""
    by_age = sorted(rows, key=lambda row: (row.created or now, row.instance_id))
    return tuple(
        Blocker(
            instance_id=row.instance_id,
            name=row.name,
            status=row.status.value,
            version=row.version,
            hub_name=row.hub_name,
            age_seconds=max(0.0, round((now - row.created).total_seconds(), 1)) if row.created else None,
        )
        for row in by_age[:OLDEST_SHOWN]
    )


def queue_evidence(queue: QueueReading, unexplained: int = 0) -> QueueEvidence:
    """What a reading of a queue comes to."""
    return QueueEvidence(queue.name, queue.count, len(queue.visible), queue.hidden, unexplained)


def describe_seconds(seconds: float) -> str:
    """A span of time for a person."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"
