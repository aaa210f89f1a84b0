"""The nightly window: inside, next opening and closing, over midnight and over changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from zdd.core.windows import parse_window
from zdd.exceptions import BadInput

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


INSIDE = [
    # from, to, zone, now, closes (None: shut)
    ("22:00", "05:00", "UTC", "2026-01-10T22:00", "2026-01-11T05:00"),
    ("22:00", "05:00", "UTC", "2026-01-11T04:59", "2026-01-11T05:00"),
    ("22:00", "05:00", "UTC", "2026-01-11T05:00", None),
    ("22:00", "05:00", "UTC", "2026-01-11T21:59", None),
    ("01:00", "05:00", "UTC", "2026-01-11T00:59", None),
    ("01:00", "05:00", "UTC", "2026-01-11T03:00", "2026-01-11T05:00"),
    ("22:00", "05:00", BERLIN, "2026-01-10T21:00", "2026-01-11T04:00"),
    ("22:00", "05:00", BERLIN, "2026-07-10T20:00", "2026-07-11T03:00"),
    ("22:00", "05:00", "America/New_York", "2026-01-11T03:00", "2026-01-11T10:00"),
    # spring: 02:00 becomes 03:00 on 2026-03-29, the night is an hour shorter
    ("22:00", "05:00", BERLIN, "2026-03-28T21:00", "2026-03-29T03:00"),
    ("02:30", "05:00", BERLIN, "2026-03-29T01:00", "2026-03-29T03:00"),
    ("02:30", "05:00", BERLIN, "2026-03-29T00:59", None),
    ("01:00", "02:30", BERLIN, "2026-03-29T00:59", "2026-03-29T01:00"),
    ("02:10", "02:40", BERLIN, "2026-03-29T01:00", None),
    # autumn: 03:00 becomes 02:00 on 2026-10-25, the first 02:30 counts
    ("22:00", "05:00", BERLIN, "2026-10-24T20:00", "2026-10-25T04:00"),
    ("01:00", "02:30", BERLIN, "2026-10-25T00:29", "2026-10-25T00:30"),
    ("01:00", "02:30", BERLIN, "2026-10-25T01:15", None),
]


@pytest.mark.parametrize(("opens", "closes", "zone", "now", "expected"), INSIDE)
def test_a_window_is_open_until_it_closes(opens: str, closes: str, zone: str, now: str, expected: str | None) -> None:
    window = parse_window(opens, closes, zone)
    assert window.closes_at(utc(now)) == (utc(expected) if expected else None)
    assert window.is_open(utc(now)) is (expected is not None)


NEXT = [
    ("22:00", "05:00", "UTC", "2026-01-10T21:00", "2026-01-10T22:00"),
    ("22:00", "05:00", "UTC", "2026-01-10T22:00", "2026-01-11T22:00"),
    ("22:00", "05:00", BERLIN, "2026-03-29T04:00", "2026-03-29T20:00"),
    ("02:30", "05:00", BERLIN, "2026-03-28T12:00", "2026-03-29T01:00"),
    ("02:10", "02:40", BERLIN, "2026-03-28T12:00", "2026-03-30T00:10"),
]


@pytest.mark.parametrize(("opens", "closes", "zone", "now", "expected"), NEXT)
def test_the_next_opening_lies_after_now(opens: str, closes: str, zone: str, now: str, expected: str) -> None:
    assert parse_window(opens, closes, zone).next_opening(utc(now)) == utc(expected)


BAD = [
    (("25:00", "05:00", "UTC"), "window's from is not a time"),
    (("22:00", "5", "UTC"), "window's to is not a time"),
    (("05:00", "05:00", "UTC"), "window is empty"),
    (("22:00", "05:00", "Europe/Atlantis"), "expected: an IANA name"),
    (("22:00", "05:00", "../../etc/passwd"), "expected: an IANA name"),
    (("22:00", "05:00", ""), "expected: an IANA name"),
]


@pytest.mark.parametrize(("written", "said"), BAD)
def test_a_window_that_makes_no_sense_is_refused(written: tuple[str, str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse_window(*written)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(BadInput):
        parse_window("22:00", "05:00", "UTC").is_open(datetime(2026, 1, 1))
