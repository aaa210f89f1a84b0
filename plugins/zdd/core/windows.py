"""The nightly window in which a release may run: from and to in a time zone, daylight saving time included."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from zdd.core.hub_name import shown
from zdd.exceptions import BadInput

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z")


@dataclass(frozen=True)
class Window:
    """Every day from `opens` to `closes` by the clock of a zone; over midnight when `closes` is the earlier one.

    On the day the clock goes back an ambiguous time means its first occurrence; on the day it goes forward a time
    that does not exist means the moment of the change.
    """

    opens: time
    closes: time
    zone: ZoneInfo

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M} {self.zone.key}"

    def closes_at(self, now: datetime) -> datetime | None:
        """When the window that is open now closes (UTC); None when none is open."""
        for opens, closes in self._around(now):
            if opens <= now < closes:
                return closes
        return None

    def is_open(self, now: datetime) -> bool:
        """Whether `now` lies inside a window. The moment of opening does, that of closing does not."""
        return self.closes_at(now) is not None

    def next_opening(self, now: datetime) -> datetime:
        """The first opening after `now` (UTC)."""
        return next(opens for opens, _ in self._around(now) if opens > now)

    def _around(self, now: datetime) -> list[tuple[datetime, datetime]]:
        if now.tzinfo is None:
            raise BadInput("A moment without a time zone", expected="an aware datetime", do="use UTC")
        today = now.astimezone(self.zone).date()
        days = [today + timedelta(days=offset) for offset in range(-1, 4)]
        spans = [(self._moment(day, self.opens), self._moment(self._closing_day(day), self.closes)) for day in days]
        # A window that lies whole in the hour that is skipped does not take place.
        return [(opens, closes) for opens, closes in spans if opens < closes]

    def _closing_day(self, day: date) -> date:
        return day if self.opens < self.closes else day + timedelta(days=1)

    def _moment(self, day: date, clock: time) -> datetime:
        local = datetime.combine(day, clock, self.zone)
        first = local.astimezone(UTC)
        if first.astimezone(self.zone).replace(tzinfo=None) == local.replace(tzinfo=None):
            return first
        return self._change_between(local.replace(fold=1).astimezone(UTC), first)

    def _change_between(self, before: datetime, after: datetime) -> datetime:
        """The moment between two others at which the zone's offset changes, to the second."""
        offset = before.astimezone(self.zone).utcoffset()
        while after - before > timedelta(seconds=1):
            middle = (before + (after - before) / 2).replace(microsecond=0)
            if middle.astimezone(self.zone).utcoffset() == offset:
                before = middle
            else:
                after = middle
        return after


def parse_window(opens: str, closes: str, zone: str) -> Window:
    """A window out of what a person wrote: `22:00`, `05:30`, `Europe/Berlin`. Raises BadInput that says what is off."""
    start, end = _time_of_day("from", opens), _time_of_day("to", closes)
    if start == end:
        raise BadInput(
            "The window is empty",
            expected="two different times",
            found=f"{opens} and {closes}",
            do="correct from and to; a release at any time needs no window",
        )
    try:
        # ZoneInfo takes any path-like text; a zone's name has these characters only.
        if not re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", zone):
            raise ValueError
        return Window(start, end, ZoneInfo(zone))
    except (ValueError, OSError, KeyError):
        raise BadInput(
            "The time zone of the window is not known",
            expected="an IANA name such as Europe/Berlin or UTC",
            found=shown(zone),
            do="correct the time zone",
        ) from None


def _time_of_day(which: str, text: str) -> time:
    match = _TIME.match(text.strip())
    if not match:
        raise BadInput(
            f"The window's {which} is not a time", expected="HH:MM, 00:00 to 23:59", found=shown(text), do="correct it"
        )
    return time(int(match[1]), int(match[2]))
