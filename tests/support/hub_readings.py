"""Builds readings of a hub for tests of the drain verdict: a hub of four partitions, empty unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from zdd.core.drain import DrainVerdict, judge
from zdd.core.drain_memory import DrainMemory
from zdd.core.instances import InstanceRow, RuntimeStatus
from zdd.core.messages import QueueMessage
from zdd.core.observation import HubReading, QueueReading, RowsReading, Timer, TimersReading
from zdd.core.partitions import control_queues, partition_of, work_item_queue

HUB = "Orders"
PARTITIONS = 4
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)
LONG_AGO = NOON - timedelta(hours=1)


def row(
    instance_id: str,
    status: RuntimeStatus = RuntimeStatus.RUNNING,
    *,
    hub: str | None = HUB,
    changed: datetime = LONG_AGO,
    name: str = "Order",
) -> InstanceRow:
    """An instance row, written an hour before noon unless told otherwise."""
    return InstanceRow(instance_id, status, changed, name=name, hub_name=hub, created=LONG_AGO)


def message(instance_id: str | None = "order-1", kind: str | None = "EventRaised") -> QueueMessage:
    """A visible message."""
    return QueueMessage(instance_id, kind)


def timer(instance_id: str, due: datetime, number: int = 0) -> Timer:
    """A TimerCreated event."""
    return Timer(instance_id, "run", number, due)


def in_partition(partition: int, count: int = 1) -> list[str]:
    """Instance ids whose messages go to one partition."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        number += 1
        if partition_of(f"id-{number}", PARTITIONS) == partition:
            found.append(f"id-{number}")
    return found


def reading(
    *rows: InstanceRow,
    at: datetime = NOON,
    visible: Mapping[int, Iterable[QueueMessage]] | None = None,
    hidden: Mapping[int, int] | None = None,
    work_items: int = 0,
    timers: Iterable[Timer] | None = None,
    timers_complete: bool = True,
    since: datetime | None = None,
    shared: bool = False,
    rows_complete: bool = True,
    attributed: dict[str, str] | None = None,
) -> HubReading:
    """A reading that began at `at` and saw these rows, visible messages and numbers of hidden ones by partition."""
    shown = {partition: tuple(messages) for partition, messages in (visible or {}).items()}
    control = tuple(
        QueueReading(name, (hidden or {}).get(number, 0) + len(shown.get(number, ())), shown.get(number, ()))
        for number, name in enumerate(control_queues(HUB, PARTITIONS))
    )
    since = since or at
    return HubReading(
        hub_name=HUB,
        began=at,
        now=at,
        work_items=QueueReading(work_item_queue(HUB), work_items),
        control=control,
        rows=RowsReading(
            live=tuple(one for one in rows if one.status.is_live),
            changed=tuple(one for one in rows if one.timestamp and one.timestamp >= since),
            changed_from=since,
            complete=rows_complete,
        ),
        timers=None if timers is None else TimersReading(tuple(timers), complete=timers_complete),
        shared_store=shared,
        attributed=attributed or {},
    )


def verdict_on(seen: HubReading, memory: DrainMemory | None = None, timeout: timedelta = FIVE_MINUTES) -> DrainVerdict:
    """The verdict on a reading."""
    return judge(seen, memory, hub="the hub", visibility_timeout=timeout)
