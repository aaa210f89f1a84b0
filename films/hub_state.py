"""A task hub's storage in memory: a state machine fed with a film's operations, read as a `HubReading`.

Every frame leaves a snapshot that shares what did not change, so that a reading may be put together of parts from
different moments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from films.film import Film, FilmHub, Frame, message_of
from zdd.core.instances import InstanceRow, RuntimeStatus, unescape_key
from zdd.core.messages import QueueMessage
from zdd.core.observation import MAXIMUM_PEEK, HubReading, QueueReading, RowsReading, Timer, TimersReading
from zdd.core.partitions import control_queues, work_item_queue

Entity = dict[str, Any]
Key = tuple[str, str]


@dataclass(frozen=True)
class StoredMessage:
    """A message in a queue, hidden until a moment."""

    message: QueueMessage
    visible_at: datetime


@dataclass(frozen=True)
class WrittenTimer:
    """A TimerCreated row and when it was written."""

    timer: Timer
    written: datetime


@dataclass(frozen=True)
class Snapshot:
    """The store after one operation."""

    frame: Frame
    rows: Mapping[str, tuple[InstanceRow, ...]]
    timers: Mapping[str, tuple[WrittenTimer, ...]]
    queues: Mapping[str, tuple[StoredMessage, ...]]

    @property
    def moment(self) -> datetime:
        """When it looks so."""
        return self.frame.moment

    def queue(self, name: str, moment: datetime | None = None) -> QueueReading:
        """Count and peek a queue at this snapshot."""
        messages = self.queues.get(name, ())
        now = moment or self.moment
        visible = [stored.message for stored in messages if stored.visible_at <= now]
        return QueueReading(name, len(messages), tuple(visible[:MAXIMUM_PEEK]))


@dataclass
class StoreState:
    """The state machine."""

    _tables: dict[str, dict[Key, Entity]] = field(default_factory=dict)
    _written: dict[str, dict[Key, datetime]] = field(default_factory=dict)
    _queues: dict[str, dict[str, StoredMessage]] = field(default_factory=dict)
    _rows: dict[str, tuple[InstanceRow, ...]] = field(default_factory=dict)
    _timers: dict[str, tuple[WrittenTimer, ...]] = field(default_factory=dict)
    _views: dict[str, tuple[StoredMessage, ...]] = field(default_factory=dict)

    def apply(self, frame: Frame) -> Snapshot:
        """Apply one operation and return the store after it."""
        operation = frame.operation
        if operation["service"] == "queue":
            self._apply_to_queue(operation, frame.time)
            self._views = {**self._views, operation["queue"]: tuple(self._queues[operation["queue"]].values())}
        elif operation["service"] == "table" and operation["op"] != "read":
            touched = {part["table"] for part in _table_parts(operation)}
            for part in _table_parts(operation):
                self._apply_to_table(part, frame.time)
            for table in touched:
                self._refresh(table)
        return Snapshot(frame, self._rows, self._timers, self._views)

    def _apply_to_queue(self, operation: dict[str, Any], now: datetime) -> None:
        queue = self._queues.setdefault(operation["queue"], {})
        hidden = timedelta(seconds=operation.get("hidden_seconds") or 0)
        match operation["op"]:
            case "put-message":
                queue[operation["id"]] = StoredMessage(message_of(operation), now + hidden)
            case "take-messages":
                for taken in operation["taken"]:
                    queue[taken["id"]] = StoredMessage(queue[taken["id"]].message, now + hidden)
            case "update-message":
                queue[operation["id"]] = StoredMessage(queue[operation["id"]].message, now + hidden)
            case "delete-message":
                del queue[operation["id"]]

    def _apply_to_table(self, part: dict[str, Any], now: datetime) -> None:
        table = self._tables.setdefault(part["table"], {})
        if "key" not in part:
            return
        key = (part["key"][0], part["key"][1])
        self._written.setdefault(part["table"], {})[key] = now
        if part["op"] == "delete":
            table.pop(key, None)
        elif part["op"] in ("merge", "insert-or-merge"):
            table[key] = {**table.get(key, {}), **part["entity"]}
        else:
            table[key] = part["entity"]

    def _refresh(self, table: str) -> None:
        written = self._written.get(table, {})
        entities = self._tables.get(table, {})
        if table.endswith("Instances"):
            rows = tuple(_row(key[0], entity, written[key]) for key, entity in entities.items())
            self._rows = {**self._rows, table: rows}
        elif table.endswith("History"):
            timers = tuple(
                WrittenTimer(_timer(key[0], entity), written[key])
                for key, entity in entities.items()
                if entity.get("EventType") == "TimerCreated"
            )
            self._timers = {**self._timers, table: timers}


def _table_parts(operation: dict[str, Any]) -> Sequence[dict[str, Any]]:
    return operation["operations"] if operation["op"] == "batch" else (operation,)


def _row(partition_key: str, entity: Entity, written: datetime) -> InstanceRow:
    created = entity.get("CreatedTime")
    return InstanceRow(
        instance_id=unescape_key(partition_key),
        status=RuntimeStatus.parse(entity.get("RuntimeStatus")),
        timestamp=written,
        name=entity.get("Name") or "",
        version=entity.get("Version") or "",
        execution_id=entity.get("ExecutionId") or "",
        hub_name=entity.get("TaskHubName") or None,
        created=datetime.fromisoformat(created) if created else None,
    )


def _timer(partition_key: str, entity: Entity) -> Timer:
    fire_at = datetime.fromisoformat(entity["FireAt"])
    return Timer(unescape_key(partition_key), entity.get("ExecutionId") or "", entity.get("EventId") or 0, fire_at)


def snapshots(film: Film) -> list[Snapshot]:
    """The store after every operation of a film."""
    state = StoreState()
    return [state.apply(frame) for frame in film.frames]


@dataclass(frozen=True)
class Moments:
    """From which snapshot each part of a reading comes. `queues` by name; one that is not named is read at `first`."""

    first: Snapshot
    rows: Snapshot
    timers: Snapshot
    queues: Mapping[str, Snapshot] = field(default_factory=dict)


def read_hub(hub: FilmHub, moments: Moments) -> HubReading:
    """A reading of a hub, as a reader would have made it at these moments."""
    names = (work_item_queue(hub.name), *control_queues(hub.name, hub.partitions))
    at = {name: moments.queues.get(name, moments.first) for name in names}
    work_items, *control = (at[name].queue(name) for name in names)
    began = moments.first.moment
    now = max(snapshot.moment for snapshot in at.values())
    prefix = hub.tracking_prefix or hub.name
    rows = moments.rows.rows.get(f"{prefix}Instances", ())
    timers = moments.timers.timers.get(f"{prefix}History", ())
    return HubReading(
        hub_name=hub.name,
        began=began,
        now=now,
        work_items=work_items,
        control=tuple(control),
        rows=RowsReading(
            live=tuple(row for row in rows if row.status.is_live),
            changed=tuple(row for row in rows if row.timestamp is None or row.timestamp >= began),
            changed_from=began,
        ),
        timers=None
        if hub.tracking_prefix
        else TimersReading(tuple(written.timer for written in timers if written.written < began)),
        shared_store=hub.tracking_prefix is not None,
    )
