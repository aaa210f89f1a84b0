"""The settle rule of a gate, on plain data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from zdd.core.gate import Gate, SettleRule, Watch, decide

T = datetime(2026, 11, 21, 3, tzinfo=UTC)
RULE = SettleRule(zeros=2, apart=timedelta(seconds=10))


def watch(*proofs: tuple[float, bool]) -> Watch:
    seen = Watch(binding="hub=a")
    for seconds, zero in proofs:
        seen = seen.observe(zero=zero, began=T + timedelta(seconds=seconds), memory={"n": seconds})
    return seen


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        ([], Gate.WAIT),
        ([(0, True)], Gate.WAIT),
        ([(0, True), (5, True)], Gate.WAIT),
        ([(0, True), (5, True), (10, True)], Gate.OPEN),
        ([(0, True), (10, True)], Gate.OPEN),
        ([(0, True), (5, False), (10, True)], Gate.WAIT),
        ([(0, True), (5, False), (10, True), (20, True)], Gate.OPEN),
        ([(0, True), (10, True), (11, False)], Gate.WAIT),
        ([(0, True), (10, True), (311, True)], Gate.WAIT),
        ([(0, True), (300, True)], Gate.OPEN),
    ],
)
def test_a_gate_opens_after_zeros_in_a_row_a_settle_time_apart(proofs, expected):
    assert decide(watch(*proofs), RULE, now=T, deadline=T + timedelta(hours=1)) is expected


def test_a_gate_that_has_not_settled_at_its_deadline_gives_up():
    assert decide(watch((0, True)), RULE, now=T, deadline=T) is Gate.DEADLINE


def test_a_gate_that_has_settled_at_its_deadline_opens():
    assert decide(watch((0, True), (10, True)), RULE, now=T, deadline=T) is Gate.OPEN


def test_no_settle_time_and_one_zero_open_at_once():
    assert watch((0, True)).settling.settled(SettleRule(zeros=1, apart=timedelta()))


def test_a_watch_survives_its_json_form():
    seen = watch((0, True), (4, True))
    assert Watch.from_json(seen.to_json()) == seen
    assert Watch.from_json(None) == Watch()


def test_another_hub_begins_another_watch():
    seen = watch((0, True))
    assert seen.for_binding("hub=a") is seen
    assert seen.for_binding("hub=b") == Watch(binding="hub=b")


@pytest.mark.parametrize(
    ("proofs", "expected"),
    [
        ([], ""),
        ([(0, False)], ""),
        ([(0, True)], "; zero has to be proved again at 03:00:10 UTC or later"),
        ([(0, True), (10, True)], ""),
    ],
)
def test_a_gate_that_found_zero_once_says_when_it_must_be_found_again(proofs, expected):
    assert watch(*proofs).settling.still_wanted(RULE) == expected
