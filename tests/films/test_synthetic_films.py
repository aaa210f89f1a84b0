"""Films of our own where the recordings cannot tell, replayed into Azurite on the film's clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from films.film import Film
from films.replay import FilmResult, replay
from films.store import FilmStore
from tests.support.film_builder import FilmBuilder

pytestmark = pytest.mark.timeout(180)


async def play(film: Film, azurite: str) -> FilmResult:
    async with FilmStore(azurite, "Syn", base64_messages=False) as store:
        return await replay(film, store)


async def test_a_hundred_past_due_timers_and_one_hidden_start_are_busy(azurite: str, tmp_path: Path) -> None:
    film = FilmBuilder("PastDue")
    film.row("sleeper", "Completed")
    film.timers("sleeper", [-1.0 - number for number in range(100)])
    film.in_flight("sleeper")
    film.put("sleeper", "ExecutionStarted", "start")
    film.take("sleeper", "start", hidden=300)
    result = await play(film.film(tmp_path), azurite)
    assert result.false_zeros == []
    assert result.ends["PastDue"].startswith("busy")


async def test_a_timer_due_within_the_second_does_not_explain_a_hidden_start(azurite: str, tmp_path: Path) -> None:
    film = FilmBuilder("DueSoon")
    film.row("sleeper", "Completed")
    film.timers("sleeper", [0.9])
    film.in_flight("sleeper")
    film.put("sleeper", "ExecutionStarted", "start")
    film.take("sleeper", "start", hidden=300)
    assert (await play(film.film(tmp_path), azurite)).false_zeros == []


async def test_forty_visible_messages_in_one_queue_may_hide_a_start(azurite: str, tmp_path: Path) -> None:
    film = FilmBuilder("Forty")
    film.row("done", "Completed")
    for number in range(40):
        film.put("done", "EventRaised", f"late-{number}")
    film.in_flight("done")
    film.put("done", "ExecutionStarted")
    result = await play(film.film(tmp_path), azurite)
    assert result.false_zeros == []
    assert "may hold more than can be seen" in result.ends["Forty"]


async def test_a_message_put_back_for_a_purged_instance_is_residue(azurite: str, tmp_path: Path) -> None:
    film = FilmBuilder("PutBack")
    film.put("purged", "TimerFired", "timer", hidden=10)
    hidden = 2
    while hidden <= 512:
        film.wait(hidden + 8)
        film.take("purged", "timer", hidden=300)
        film.put_back("purged", "timer", hidden=hidden)
        hidden *= 2
    result = await play(film.film(tmp_path), azurite)
    assert not result.is_stuck
    assert "without an explanation" in result.ends["PutBack"]


async def test_a_start_put_back_again_and_again_is_no_residue(azurite: str, tmp_path: Path) -> None:
    film = FilmBuilder("Rejected")
    film.in_flight("rejected")
    film.put("rejected", "ExecutionStarted", "start")
    hidden = 2
    while hidden <= 512:
        film.wait(hidden + 8)
        film.take("rejected", "start", hidden=300)
        film.put_back("rejected", "start", hidden=hidden)
        hidden *= 2
    assert (await play(film.film(tmp_path), azurite)).false_zeros == []


@pytest.mark.parametrize(
    ("hub", "seconds"), [("DeadWorker", 300), ("Abandoned", 600)], ids=["in a dead worker's hands", "abandoned"]
)
async def test_a_start_that_hides_for_long_is_no_residue(azurite: str, tmp_path: Path, hub: str, seconds: int) -> None:
    film = FilmBuilder(hub)
    film.in_flight("child")
    film.put("child", "ExecutionStarted", "start")
    film.take("child", "start", hidden=seconds)
    result = await play(film.film(tmp_path), azurite)
    assert result.false_zeros == []
    assert result.ends[hub].startswith("busy")


async def test_a_zero_over_work_in_flight_is_counted_as_false(azurite: str, tmp_path: Path) -> None:
    film = FilmBuilder("Lie")
    film.in_flight("seen by nobody")
    film.row("done", "Completed")
    assert (await play(film.film(tmp_path), azurite)).false_zeros


async def test_a_film_that_does_not_drain_is_counted_as_stuck(azurite: str, tmp_path: Path) -> None:
    film = FilmBuilder("Stuck")
    film.row("forgotten", "Running")
    assert (await play(film.film(tmp_path), azurite)).is_stuck
