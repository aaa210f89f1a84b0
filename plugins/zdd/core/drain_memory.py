"""What a verdict hands to the next one: the quiet window, the timers seen, the witnesses. Plain data, JSON both ways.

It travels with a sensor's event to the task that acts, so it is small and holds no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from zdd.core.observation import Timer

MAXIMUM_TIMERS = 200
FORMAT = 1


@dataclass(frozen=True)
class DrainMemory:
    """The observation so far of one hub. Absent means that it has just begun.

    `last_poll` and `quiet_since` are the store's time as judged (a film's time in a replay); `rows_seen_until` is the
    time from which the next reading looks for changed rows.
    """

    hub: str = ""
    quiet_since: datetime | None = None
    last_poll: datetime | None = None
    rows_seen_until: datetime | None = None
    queue_totals: Mapping[str, int] = field(default_factory=dict)
    timers: tuple[Timer, ...] = ()
    witnesses: tuple[str, ...] = ()
    polls_since_proof: int = 0

    def to_json(self) -> dict[str, Any]:
        """Small dict for an event, an XCom or a trigger argument."""
        return {
            "format": FORMAT,
            "hub": self.hub,
            "quiet_since": _text(self.quiet_since),
            "last_poll": _text(self.last_poll),
            "rows_seen_until": _text(self.rows_seen_until),
            "queue_totals": dict(self.queue_totals),
            "timers": [
                [timer.instance_id, timer.execution_id, timer.timer_id, _text(timer.fire_at)] for timer in self.timers
            ],
            "witnesses": list(self.witnesses),
            "polls_since_proof": self.polls_since_proof,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> DrainMemory | None:
        """The memory that `to_json` wrote. None, or another form than this edition writes, is a beginning: None."""
        if not data or data.get("format") != FORMAT:
            return None
        return cls(
            hub=str(data["hub"]),
            quiet_since=_time(data["quiet_since"]),
            last_poll=_time(data["last_poll"]),
            rows_seen_until=_time(data["rows_seen_until"]),
            queue_totals={str(name): int(count) for name, count in data["queue_totals"].items()},
            timers=tuple(
                Timer(instance, execution, int(number), datetime.fromisoformat(fire_at))
                for instance, execution, number, fire_at in data["timers"]
            ),
            witnesses=tuple(data["witnesses"]),
            polls_since_proof=int(data["polls_since_proof"]),
        )


def timers_to_remember(*sources: tuple[Timer, ...], after: datetime) -> tuple[Timer, ...]:
    """All timers of the sources that are still to come after a moment, each once; the soonest go when there are many.

    A timer forgotten costs a wait for the quiet window, never a false zero.
    """
    known = {(timer.instance_id, timer.execution_id, timer.timer_id): timer for source in sources for timer in source}
    coming = sorted((timer for timer in known.values() if timer.fire_at > after), key=lambda timer: timer.fire_at)
    return tuple(coming[-MAXIMUM_TIMERS:])


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
