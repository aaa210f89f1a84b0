"""The drain verdict: does a task hub still hold work? Decided from one reading and the memory of those before it.

The rules and why they are so are in docs/drain-verdict.md; they were measured on recordings of the real engine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from zdd.core import quiet_window
from zdd.core.drain_evidence import Blocker, DrainEvidence, count_rows, describe_seconds, oldest, queue_evidence
from zdd.core.drain_memory import DrainMemory, timers_to_remember
from zdd.core.instances import InstanceRow, is_entity_id, unescape_key
from zdd.core.observation import MAXIMUM_PEEK, HubReading, QueueReading, Timer
from zdd.core.partitions import partition_of

# A message becomes visible up to 1.0 s before its FireAt and is deleted right then: a second to spare on top.
TIMER_MARGIN = timedelta(seconds=2)
WITNESSES = 3
POLLS_PER_PROOF = 10


class DrainState(StrEnum):
    """Whether a hub has drained. UNKNOWN is never zero."""

    BUSY = "busy"
    DRAINED = "drained"
    NEVER_STARTED = "never_started"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class DrainVerdict:
    """The answer, one sentence for a person on call, what it rests on, and what the next reading is to be given."""

    state: DrainState
    reason: str
    evidence: DrainEvidence
    memory: DrainMemory

    @property
    def is_drained(self) -> bool:
        """Whether the hub was proved to hold no work."""
        return self.state is DrainState.DRAINED

    def to_json(self) -> dict[str, Any]:
        """Small dict without secrets: state, reason, evidence, memory."""
        return {
            "state": self.state.value,
            "reason": self.reason,
            "evidence": self.evidence.to_json(),
            "memory": self.memory.to_json(),
        }


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
        return f"{_number(len(found.live), 'instance')} in flight, the oldest is {first}"
    if reading.work_items.total:
        return f"{_number(reading.work_items.total, 'message')} in the work-item queue: an activity waits or runs"
    if found.counted:
        return f"{_number(found.counted, 'message')} for a start, a live instance or an entity waiting in a queue"
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


def judge(reading: HubReading, memory: DrainMemory | None, *, hub: str, visibility_timeout: timedelta) -> DrainVerdict:
    """The verdict on a complete reading of a hub that exists.

    :param hub: the binding's fingerprint; a memory of another hub is dropped.
    :param visibility_timeout: the control queues' visibility timeout, which decides the quiet window's length.
    """
    before = memory if memory and memory.hub == hub else None
    found = sort_reading(reading)
    timers = _timers_to_come(reading, before)
    unexplained = _unexplained(reading, timers)
    work = None if reading.rows.complete else "the scan of the rows was not finished"
    work = work_found(reading, found) or work
    void = is_void(reading, found)
    left = sum(unexplained)
    window = quiet_window.observe(
        reading, before, undisturbed=work is None and not void and not found.changed, timeout=visibility_timeout
    )
    evidence = replace(
        _evidence(reading, found, unexplained),
        hub=hub,
        timers_to_come=len(timers),
        quiet_since=window.since,
        quiet_until=window.until if left and not work else None,
    )
    after = DrainMemory(
        hub=hub,
        quiet_since=window.since,
        last_poll=reading.now,
        rows_seen_until=reading.began,
        queue_totals={queue.name: queue.total for queue in reading.control},
        timers=timers,
        witnesses=tuple(row.instance_id for row in found.live[:WITNESSES]),
    )

    def verdict(state: DrainState, reason: str) -> DrainVerdict:
        return DrainVerdict(state, reason, evidence, after)

    if work:
        return verdict(DrainState.BUSY, work)
    if void:
        return verdict(
            DrainState.BUSY, f"{_number(len(found.changed), 'row')} changed while the hub was read, so it is at work"
        )
    if not left:
        explained = f"; {_number(reading.hidden, 'hidden message')} explained by timers" if reading.hidden else ""
        return verdict(DrainState.DRAINED, f"no instance in flight and no message left{explained}")
    if window.is_over(reading.now):
        return verdict(
            DrainState.DRAINED,
            f"no instance in flight; {_number(left, 'hidden message')} without an explanation, "
            f"but nothing has moved for {describe_seconds(window.seconds(reading.now))}",
        )
    return verdict(
        DrainState.BUSY,
        f"{_number(left, 'hidden message')} that no timer explains: may be a start in a worker's hands; "
        f"taken for residue if nothing moves until {window.until:%Y-%m-%d %H:%M:%S} UTC ({window.note})",
    )


def _timers_to_come(reading: HubReading, memory: DrainMemory | None) -> tuple[Timer, ...]:
    if reading.shared_store:
        return ()
    seen = reading.timers.timers if reading.timers and reading.timers.complete else ()
    remembered = memory.timers if memory else ()
    return timers_to_remember(seen, remembered, after=reading.now + TIMER_MARGIN)


def _unexplained(reading: HubReading, timers: tuple[Timer, ...]) -> tuple[int, ...]:
    coming = [0] * len(reading.control)
    for timer in timers:
        coming[partition_of(timer.instance_id, len(coming))] += 1
    return tuple(max(0, queue.hidden - explained) for queue, explained in zip(reading.control, coming, strict=True))


def _evidence(reading: HubReading, found: Sorted, unexplained: tuple[int, ...]) -> DrainEvidence:
    queues: list[tuple[QueueReading, int]] = [(reading.work_items, 0)]
    queues += zip(reading.control, unexplained, strict=True)
    counts = count_rows(found.live)
    return DrainEvidence(
        hub=reading.hub_name,
        complete=reading.rows.complete,
        by_status=counts["by_status"],
        by_function=counts["by_function"],
        by_version=counts["by_version"],
        blockers=oldest(found.live, reading.now),
        entities=len(found.entities),
        entity_ids=tuple(row.instance_id for row in found.entities[:5]),
        other_hubs_rows=len(found.foreign),
        rows_changed=len(found.changed),
        pages=reading.rows.pages + (reading.timers.pages if reading.timers else 0),
        queues=tuple(queue_evidence(queue, left) for queue, left in queues),
        messages_counted=found.counted,
        messages_discarded=found.discarded,
        hidden_unexplained=sum(unexplained),
        read_at=reading.now,
    )


def unknown(reason: str, memory: DrainMemory | None, *, hub: str) -> DrainVerdict:
    """Something could not be read. The memory is kept as it was: the next poll's distance to it tells the rest."""
    kept = memory if memory and memory.hub == hub else DrainMemory(hub=hub)
    return DrainVerdict(DrainState.UNKNOWN, reason, DrainEvidence(hub=hub), replace(kept, witnesses=()))


def never_started(memory: DrainMemory | None, *, hub: str) -> DrainVerdict:
    """Nothing of the hub exists, and the listings that say so were allowed and complete."""
    reason = "no table, queue or container of this task hub exists: it was never started"
    return replace(unknown(reason, memory, hub=hub), state=DrainState.NEVER_STARTED)


def witness_alive(row: InstanceRow, memory: DrainMemory) -> DrainVerdict:
    """A witness is still in flight: BUSY for one point read. A quiet window cannot be open then."""
    evidence = DrainEvidence(hub=memory.hub, blockers=(Blocker(row.instance_id, row.name, row.status.value),))
    after = replace(memory, quiet_since=None, polls_since_proof=memory.polls_since_proof + 1)
    return DrainVerdict(
        DrainState.BUSY, f"{Blocker(row.instance_id, row.name, row.status.value)} is still in flight", evidence, after
    )


def may_ask_witness(memory: DrainMemory | None, *, hub: str) -> bool:
    """Whether a poll may read a witness only: every tenth poll is a full proof, so that what is shown stays fresh."""
    return bool(memory and memory.hub == hub and memory.witnesses and memory.polls_since_proof < POLLS_PER_PROOF - 1)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
