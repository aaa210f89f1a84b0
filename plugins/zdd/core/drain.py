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
from zdd.core.drain_memory import DrainMemory
from zdd.core.drain_rules import Sorted, is_void, number, sort_reading, timers_to_come, unexplained, work_found
from zdd.core.instances import InstanceRow
from zdd.core.observation import HubReading, QueueReading

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


def judge(reading: HubReading, memory: DrainMemory | None, *, hub: str, visibility_timeout: timedelta) -> DrainVerdict:
    """The verdict on a complete reading of a hub that exists.

    :param hub: the binding's fingerprint; a memory of another hub is dropped.
    :param visibility_timeout: the control queues' visibility timeout, which decides the quiet window's length.
    """
    before = memory if memory and memory.hub == hub else None
    found = sort_reading(reading)
    timers = timers_to_come(reading, before)
    left_by_queue = unexplained(reading, timers)
    work = None if reading.rows.complete else "the scan of the rows was not finished"
    work = work_found(reading, found) or work
    void = is_void(reading, found)
    left = sum(left_by_queue)
    window = quiet_window.observe(
        reading, before, undisturbed=work is None and not void and not found.changed, timeout=visibility_timeout
    )
    evidence = replace(
        _evidence(reading, found, left_by_queue),
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
            DrainState.BUSY, f"{number(len(found.changed), 'row')} changed while the hub was read, so it is at work"
        )
    if not left:
        explained = f"; {number(reading.hidden, 'hidden message')} explained by timers" if reading.hidden else ""
        return verdict(DrainState.DRAINED, f"no instance in flight and no message left{explained}")
    if window.is_over(reading.now):
        return verdict(
            DrainState.DRAINED,
            f"no instance in flight; {number(left, 'hidden message')} without an explanation, "
            f"but nothing has moved for {describe_seconds(window.seconds(reading.now))}",
        )
    return verdict(
        DrainState.BUSY,
        f"{number(left, 'hidden message')} that no timer explains: may be a start in a worker's hands; "
        f"taken for residue if nothing moves until {window.until:%Y-%m-%d %H:%M:%S} UTC ({window.note})",
    )


def _evidence(reading: HubReading, found: Sorted, left: tuple[int, ...]) -> DrainEvidence:
    queues: list[tuple[QueueReading, int]] = [(reading.work_items, 0)]
    queues += zip(reading.control, left, strict=True)
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
        queues=tuple(queue_evidence(queue, hidden) for queue, hidden in queues),
        messages_counted=found.counted,
        messages_discarded=found.discarded,
        hidden_unexplained=sum(left),
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
