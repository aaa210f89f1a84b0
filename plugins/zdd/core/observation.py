"""What one reading of a task hub saw: plain data, made by a reader, judged by `drain`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from zdd.core.instances import InstanceRow
from zdd.core.messages import QueueMessage

MAXIMUM_PEEK = 32


@dataclass(frozen=True)
class QueueReading:
    """One queue: its approximate count (never too low), and then what a peek showed (32 at most).

    `fresh` of the visible ones were put after the reading began, so the count may not hold them yet.
    """

    name: str
    count: int
    visible: tuple[QueueMessage, ...] = ()
    fresh: int = 0

    @property
    def hidden(self) -> int:
        """How many messages the peek did not show: taken by a worker, or waiting for their time."""
        return max(0, self.count - (len(self.visible) - self.fresh))

    @property
    def total(self) -> int:
        """How many messages the queue holds at least, whether or not they are visible at this moment."""
        return max(self.count, len(self.visible))


@dataclass(frozen=True)
class RowsReading:
    """A scan of the Instances table to its last page.

    `live` holds the live rows, `changed` those with a Timestamp at or after `changed_from`; a row may be in both.
    On a shared tracking store both hold rows of other hubs too.
    """

    live: tuple[InstanceRow, ...] = ()
    changed: tuple[InstanceRow, ...] = ()
    changed_from: datetime | None = None
    pages: int = 1
    complete: bool = True


@dataclass(frozen=True, order=True)
class Timer:
    """A TimerCreated event of the history, by the key under which it is remembered: ids repeat over executions."""

    instance_id: str
    execution_id: str
    timer_id: int
    fire_at: datetime


@dataclass(frozen=True)
class TimersReading:
    """A query of the history for timers that are still to come; not `complete` when its budget of pages ran out."""

    timers: tuple[Timer, ...] = ()
    pages: int = 1
    complete: bool = True


@dataclass(frozen=True)
class HubReading:
    """One reading of a hub, in the order of a proof: began, queues, rows, timers.

    `began` is the store's time before the first queue was read; `now` the store's time after the last one (its latest
    possible value), by which timers and the quiet window are judged. `timers` is None where the history was not asked.
    """

    hub_name: str
    began: datetime
    now: datetime
    work_items: QueueReading
    control: tuple[QueueReading, ...]
    rows: RowsReading
    timers: TimersReading | None = None
    shared_store: bool = False
    # Live rows without a hub's name that were traced to the hub of their parent: instance id -> hub.
    attributed: dict[str, str] = field(default_factory=dict)

    @property
    def hidden(self) -> int:
        """Hidden messages in all control queues."""
        return sum(queue.hidden for queue in self.control)
