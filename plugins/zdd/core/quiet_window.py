"""The quiet window: how long nothing may move before unexplained hidden messages are taken for residue.

A dead worker hides a message for the visibility timeout; an abandoned message hides for up to ten minutes
(`TaskHubQueue.AbandonMessageAsync`). Whatever outlasts both unseen, with no row changed, drives nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from zdd.core.drain_memory import DrainMemory
from zdd.core.observation import HubReading

LONGEST_ABANDON = timedelta(minutes=10)
MARGIN = timedelta(minutes=1)
LONGEST_GAP = timedelta(seconds=30)


@dataclass(frozen=True)
class QuietWindow:
    """Since when the hub is quiet (None: it is not), until when it has to be, and why it began when it did."""

    since: datetime | None
    until: datetime
    note: str

    def is_over(self, now: datetime) -> bool:
        """Whether the hub was quiet for long enough."""
        return self.since is not None and now >= self.until

    def seconds(self, now: datetime) -> float:
        """For how long the hub has been quiet."""
        return (now - self.since).total_seconds() if self.since else 0.0


def window_length(visibility_timeout: timedelta) -> timedelta:
    """How long a hub must be quiet."""
    return max(visibility_timeout, LONGEST_ABANDON) + MARGIN


def observe(reading: HubReading, memory: DrainMemory | None, *, undisturbed: bool, timeout: timedelta) -> QuietWindow:
    """Carry the window on, or begin it again.

    :param undisturbed: no countable message was seen and no row changed since the last reading.
    """
    length = window_length(timeout)
    if not undisturbed:
        return QuietWindow(None, reading.now + length, "work was seen")
    broken = _broken(reading, memory)
    since = memory.quiet_since if memory and memory.quiet_since and not broken else reading.now
    return QuietWindow(since, since + length, broken or f"quiet since {since:%H:%M:%S}")


def _broken(reading: HubReading, memory: DrainMemory | None) -> str | None:
    if memory is None or memory.quiet_since is None or memory.last_poll is None:
        return "the quiet window begins now"
    if reading.now - memory.last_poll > LONGEST_GAP:
        return f"begun again: polls were more than {LONGEST_GAP.total_seconds():.0f} s apart"
    if reading.now < memory.last_poll:
        return "begun again: the store's clock went back"
    for queue in reading.control:
        if queue.total > memory.queue_totals.get(queue.name, 0):
            return f"begun again: {queue.name} has more messages than before"
    return None
