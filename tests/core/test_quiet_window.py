"""The quiet window: unexplained hidden messages are residue only after nothing moved for long enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.support.hub_readings import NOON, message, reading, row, verdict_on
from zdd.core.drain import DrainState, DrainVerdict
from zdd.core.drain_memory import DrainMemory
from zdd.core.instances import RuntimeStatus
from zdd.core.observation import HubReading
from zdd.core.quiet_window import window_length

POLL = timedelta(seconds=20)
FIVE_MINUTES = timedelta(minutes=5)

Seen = Callable[[datetime, DrainMemory | None], HubReading]


def watch(seen: Seen, minutes: float, poll: timedelta = POLL, timeout: timedelta = FIVE_MINUTES) -> list[DrainVerdict]:
    """Poll for some minutes; the observation goes from verdict to verdict, as JSON."""
    verdicts: list[DrainVerdict] = []
    memory: DrainMemory | None = None
    now = NOON
    while now <= NOON + timedelta(minutes=minutes):
        verdict = verdict_on(seen(now, memory), memory, timeout)
        verdicts.append(verdict)
        memory = DrainMemory.from_json(verdict.memory.to_json())
        now += poll
    return verdicts


def one_hidden(now: datetime, memory: DrainMemory | None) -> HubReading:
    return reading(hidden={0: 1}, at=now, timers=[])


def states(verdicts: list[DrainVerdict]) -> set[DrainState]:
    return {verdict.state for verdict in verdicts}


def test_the_window_is_the_longest_time_that_a_message_can_hide_and_a_minute() -> None:
    assert window_length(FIVE_MINUTES) == timedelta(minutes=11)
    assert window_length(timedelta(minutes=30)) == timedelta(minutes=31)


def test_an_unexplained_hidden_message_is_busy_until_the_window_is_over() -> None:
    assert states(watch(one_hidden, 10.9)) == {DrainState.BUSY}
    last = watch(one_hidden, 11)[-1]
    assert last.state is DrainState.DRAINED
    assert "without an explanation" in last.reason


def test_a_longer_visibility_timeout_makes_a_longer_window() -> None:
    assert states(watch(one_hidden, 30, timeout=timedelta(minutes=30))) == {DrainState.BUSY}


def test_without_a_memory_the_window_begins_now() -> None:
    memory = watch(one_hidden, 11)[-1].memory
    late = one_hidden(NOON + timedelta(minutes=11, seconds=20), None)
    assert verdict_on(late, memory).state is DrainState.DRAINED
    assert verdict_on(late, None).state is DrainState.BUSY


def test_the_memory_of_another_hub_is_dropped() -> None:
    memory = replace(watch(one_hidden, 11)[-1].memory, hub="another hub")
    assert verdict_on(one_hidden(NOON + timedelta(minutes=11), None), memory).state is DrainState.BUSY


def test_polls_more_than_thirty_seconds_apart_begin_the_window_again() -> None:
    verdicts = watch(one_hidden, 40, poll=timedelta(seconds=31))
    assert states(verdicts) == {DrainState.BUSY}
    assert "apart" in verdicts[-1].reason


def test_a_changed_row_begins_the_window_again() -> None:
    def changing(now: datetime, memory: DrainMemory | None) -> HubReading:
        since = memory.rows_seen_until if memory and memory.quiet_since else None
        written = NOON + timedelta(minutes=9, seconds=10)
        changed = [row("done", RuntimeStatus.COMPLETED, changed=written)] if now >= written else []
        return reading(*changed, hidden={0: 1}, at=now, timers=[], since=since)

    assert states(watch(changing, 19)) == {DrainState.BUSY}
    assert watch(changing, 22)[-1].state is DrainState.DRAINED


def test_a_rising_count_begins_the_window_again() -> None:
    def rising(now: datetime, memory: DrainMemory | None) -> HubReading:
        return reading(hidden={0: 1 if now < NOON + timedelta(minutes=9) else 2}, at=now, timers=[])

    assert states(watch(rising, 19.9)) == {DrainState.BUSY}
    assert watch(rising, 20.1)[-1].state is DrainState.DRAINED


def test_a_falling_count_leaves_the_window_open() -> None:
    def falling(now: datetime, memory: DrainMemory | None) -> HubReading:
        return reading(hidden={0: 3 if now < NOON + timedelta(minutes=9) else 1}, at=now, timers=[])

    assert watch(falling, 11)[-1].state is DrainState.DRAINED


def test_a_message_put_back_again_and_again_for_an_instance_that_is_gone_is_residue() -> None:
    def flapping(now: datetime, memory: DrainMemory | None) -> HubReading:
        if (now - NOON) // POLL % 3 == 1:
            return reading(visible={0: [message("purged", "TimerFired")]}, at=now, timers=[])
        return one_hidden(now, memory)

    verdicts = watch(flapping, 11)
    assert verdicts[-1].state is DrainState.DRAINED
    assert verdicts[0].state is DrainState.BUSY


def test_a_start_put_back_again_and_again_is_never_residue() -> None:
    def flapping(now: datetime, memory: DrainMemory | None) -> HubReading:
        if (now - NOON) // POLL % 25 == 24:
            return reading(visible={0: [message("rejected", "ExecutionStarted")]}, at=now, timers=[])
        return one_hidden(now, memory)

    assert states(watch(flapping, 60)) == {DrainState.BUSY}


@pytest.mark.parametrize("hidden_minutes", [5, 10], ids=["in a dead worker's hands", "abandoned for ten minutes"])
def test_a_start_that_hides_for_as_long_as_it_can_is_never_residue(hidden_minutes: int) -> None:
    def hiding(now: datetime, memory: DrainMemory | None) -> HubReading:
        if now >= NOON + timedelta(minutes=hidden_minutes):
            return reading(visible={0: [message("child", "ExecutionStarted")]}, at=now, timers=[])
        return one_hidden(now, memory)

    assert states(watch(hiding, 30)) == {DrainState.BUSY}
