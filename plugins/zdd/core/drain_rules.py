"""What a reading of a hub shows: which rows and messages count as work, which hidden messages timers explain.

Measured on recordings of the real engine; docs/drain-verdict.md tells why each rule is so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from zdd.core.drain_evidence import oldest
from zdd.core.drain_memory import DrainMemory, timers_to_remember
from zdd.core.instances import InstanceRow, is_entity_id, unescape_key
from zdd.core.observation import MAXIMUM_PEEK, HubReading, Timer
from zdd.core.partitions import partition_of

# A message becomes visible up to 1.0 s before its FireAt and is deleted right then: a second to spare on top.
TIMER_MARGIN = timedelta(seconds=2)


@dataclass(frozen=True)
class Sorted:
    """The rows and visible messages of a reading, told apart by what they mean for this hub."""

    live: tuple[InstanceRow, ...]
    entities: tuple[InstanceRow, ...]
    foreign: tuple[InstanceRow, ...]
    changed: tuple[InstanceRow, ...]
    counted: int
    discarded: int
    full_peeks: tuple[str, ...]


def sort_reading(reading: HubReading) -> Sorted:
    """Tell what counts for this hub from what does not."""
    foreign = tuple(row for row in reading.rows.live if not _belongs(row, reading))
    own = tuple(row for row in reading.rows.live if _belongs(row, reading))
    # Whose row it is does not matter here: the engine acts on a message in this hub's queue for any live instance.
    alive = {row.instance_id for row in reading.rows.live}
    messages = [message for queue in reading.control for message in queue.visible]
    counted = sum(_counts(message.instance_id, message.is_readable, message.is_start, alive) for message in messages)
    return Sorted(
        live=tuple(row for row in own if not row.is_entity),
        entities=tuple(row for row in own if row.is_entity),
        foreign=foreign,
        changed=tuple(row for row in reading.rows.changed if _belongs(row, reading)),
        counted=counted,
        discarded=len(messages) - counted,
        full_peeks=tuple(queue.name for queue in reading.control if len(queue.visible) >= MAXIMUM_PEEK),
    )


def _belongs(row: InstanceRow, reading: HubReading) -> bool:
    if not reading.shared_store:
        return True
    hub = row.hub_name or reading.attributed.get(row.instance_id)
    return hub is None or hub.lower() == reading.hub_name.lower()


def _counts(instance_id: str | None, is_readable: bool, is_start: bool, alive: set[str]) -> bool:
    if not is_readable or is_start or instance_id is None:
        return True
    # A blob's name may carry the id as it is or escaped.
    return any(name in alive or is_entity_id(name) for name in (instance_id, unescape_key(instance_id)))


def is_void(reading: HubReading, found: Sorted) -> bool:
    """Whether a row of the hub changed since the reading began: then the parts do not show one moment."""
    return any(row.timestamp is None or row.timestamp >= reading.began for row in found.changed)


def work_found(reading: HubReading, found: Sorted) -> str | None:
    """What this reading shows of work, as a sentence; None where nothing but hidden messages may be left."""
    if found.live:
        first = oldest(found.live, reading.now)[0]
        return f"{number(len(found.live), 'instance')} in flight, the oldest is {first}"
    if reading.work_items.total:
        return f"{number(reading.work_items.total, 'message')} in the work-item queue: an activity waits or runs"
    if found.counted:
        return f"{number(found.counted, 'message')} for a start, a live instance or an entity waiting in a queue"
    if found.full_peeks:
        return f"the queue {found.full_peeks[0]} shows {MAXIMUM_PEEK} messages, so it may hold more than can be seen"
    return None


def wants_timers(reading: HubReading, found: Sorted) -> bool:
    """Whether the history should be asked for timers: only when they could decide.

    On a shared tracking store they would have to be subtracted jointly over all its hubs, and nothing tells all of
    them; so there they explain nothing and the quiet window decides.
    """
    if reading.shared_store or not reading.hidden:
        return False
    return work_found(reading, found) is None and not is_void(reading, found)


def timers_to_come(reading: HubReading, memory: DrainMemory | None) -> tuple[Timer, ...]:
    """The timers still to come that were read, or are remembered."""
    if reading.shared_store:
        return ()
    seen = reading.timers.timers if reading.timers and reading.timers.complete else ()
    remembered = memory.timers if memory else ()
    return timers_to_remember(seen, remembered, after=reading.now + TIMER_MARGIN)


def unexplained(reading: HubReading, timers: tuple[Timer, ...]) -> tuple[int, ...]:
    """How many hidden messages no timer explains, by control queue."""
    coming = [0] * len(reading.control)
    for timer in timers:
        coming[partition_of(timer.instance_id, len(coming))] += 1
    return tuple(max(0, queue.hidden - explained) for queue, explained in zip(reading.control, coming, strict=True))


def number(count: int, noun: str) -> str:
    """A count and its noun, for a sentence."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
