"""Each in-flight instance of a film alone: every other live row taken out, so that no neighbour hides a false zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from films.film import Film, FilmHub
from films.hub_state import Moments, Snapshot, StoredMessage, read_hub, snapshots
from zdd.core import drain
from zdd.core.instances import InstanceRow

VISIBILITY_TIMEOUT = timedelta(minutes=5)


@dataclass
class AloneCount:
    """How many instances were judged alone, and which of them were not seen."""

    readings: int
    false_zeros: list[str]


def alone(film: Film, *, messages_too: bool, step: int = 1) -> AloneCount:
    """Judge every `step`-th frame once for each instance in flight there, without the live rows of the others.

    :param messages_too: take the others' messages out as well, and with them the timers that explain those.
    """
    count = AloneCount(0, [])
    for hub in film.hubs:
        for snapshot in snapshots(film)[::step]:
            for instance in sorted(film.in_flight(snapshot.frame, hub)):
                count.readings += 1
                if _verdict(hub, _only(snapshot, instance, messages_too=messages_too)).is_drained:
                    count.false_zeros.append(f"{film.name} {hub.name} frame {snapshot.frame.index} {instance}")
    return count


def _verdict(hub: FilmHub, snapshot: Snapshot) -> drain.DrainVerdict:
    reading = read_hub(hub, Moments(snapshot, snapshot, snapshot))
    return drain.judge(reading, None, hub=hub.name, visibility_timeout=VISIBILITY_TIMEOUT)


def _only(snapshot: Snapshot, instance: str, *, messages_too: bool) -> Snapshot:
    rows = {table: tuple(_rows(table_rows, instance)) for table, table_rows in snapshot.rows.items()}
    if not messages_too:
        return replace(snapshot, rows=rows)
    queues = {queue: tuple(_messages(messages, instance)) for queue, messages in snapshot.queues.items()}
    timers = {
        table: tuple(written for written in all_written if written.timer.instance_id == instance)
        for table, all_written in snapshot.timers.items()
    }
    return replace(snapshot, rows=rows, queues=queues, timers=timers)


def _rows(rows: tuple[InstanceRow, ...], instance: str) -> Iterator[InstanceRow]:
    return (row for row in rows if row.instance_id == instance or not row.status.is_live)


def _messages(messages: tuple[StoredMessage, ...], instance: str) -> Iterator[StoredMessage]:
    return (stored for stored in messages if stored.message.instance_id in (instance, None))
