"""When a gate opens: zeros in a row, a settle time apart, of one and the same hub, before an absolute deadline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

# How a wait may end and let the release go on, and what a policy may ask for when its time is up.
DRAINED, HANDOVER, TERMINATE, FAIL = "drained", "handover", "terminate", "fail"
# Zeros with a longer silence between them are not in a row: nobody knows what ran meanwhile (a task cleared by hand).
MAX_GAP = timedelta(minutes=5)


@dataclass(frozen=True)
class Settling:
    """How many proofs in a row found zero, and when the first and the last of them began."""

    zeros: int = 0
    first_zero_at: datetime | None = None
    last_zero_at: datetime | None = None

    def observe(self, *, zero: bool, began: datetime) -> Settling:
        """Count one proof. Anything but a zero (busy, unknown) starts again from nothing; so does a long silence."""
        if not zero:
            return Settling()
        if self.last_zero_at is not None and began - self.last_zero_at > MAX_GAP:
            return Settling(1, began, began)
        return Settling(self.zeros + 1, self.first_zero_at or began, began)

    def settled(self, rule: SettleRule) -> bool:
        """True when enough zeros were found and the last proof began a settle time after the first (promise S2)."""
        if self.zeros < rule.zeros or self.first_zero_at is None or self.last_zero_at is None:
            return False
        return self.last_zero_at - self.first_zero_at >= rule.apart

    def still_wanted(self, rule: SettleRule) -> str:
        """Why a gate that has found zero does not open yet, for a log line; empty when it has not, or when it opens."""
        if self.first_zero_at is None or self.settled(rule):
            return ""
        return f"; zero has to be proved again at {self.first_zero_at + rule.apart:%H:%M:%S} UTC or later"


@dataclass(frozen=True)
class SettleRule:
    """What a gate asks for: `zeros` proofs in a row, the last begun at least `apart` after the first."""

    zeros: int = 2
    apart: timedelta = timedelta(seconds=10)


@dataclass(frozen=True)
class Watch:
    """What a wait has learned so far. Travels in the trigger's arguments, its event and the XCom of the sensor.

    `memory` is the drain verdict's own memory in its JSON form; `binding` is the hub that it is about.
    """

    memory: Mapping[str, Any] | None = None
    binding: str | None = None
    settling: Settling = field(default_factory=Settling)

    def for_binding(self, binding: str) -> Watch:
        """The watch as it may be used for a hub: empty when it is about another one (somebody swapped by hand)."""
        return self if self.binding == binding else Watch(binding=binding)

    def observe(self, *, zero: bool, began: datetime, memory: Mapping[str, Any] | None) -> Watch:
        """Take in one proof or poll."""
        return replace(self, memory=memory, settling=self.settling.observe(zero=zero, began=began))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, without secrets."""
        first, last = self.settling.first_zero_at, self.settling.last_zero_at
        return {
            "memory": dict(self.memory) if self.memory is not None else None,
            "binding": self.binding,
            "zeros": self.settling.zeros,
            "first_zero_at": first.isoformat() if first else None,
            "last_zero_at": last.isoformat() if last else None,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Watch:
        """Read what `to_json` wrote; nothing given means that the watch has just begun."""
        if not data:
            return cls()
        first, last = data.get("first_zero_at"), data.get("last_zero_at")
        return cls(
            data.get("memory"),
            data.get("binding"),
            Settling(
                int(data.get("zeros", 0)),
                datetime.fromisoformat(first) if first else None,
                datetime.fromisoformat(last) if last else None,
            ),
        )


class Gate(StrEnum):
    """What a wait does next."""

    OPEN = "open"
    WAIT = "wait"
    DEADLINE = "deadline"


def decide(watch: Watch, rule: SettleRule, *, now: datetime, deadline: datetime) -> Gate:
    """Open, wait on, or give up. A gate that settles at its deadline still opens: the hub is what counts."""
    if watch.settling.settled(rule):
        return Gate.OPEN
    return Gate.DEADLINE if now >= deadline else Gate.WAIT
