"""The verdict against recordings of the real engine: replayed into Azurite, torn in memory, each instance alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from films.__main__ import OWN_FILMS
from films.alone import alone
from films.film import Film, find_films, load_film
from films.torn import torn_readings

ROOT = Path(__file__).resolve().parents[2]


@cache
def films() -> list[Film]:
    """All recordings of the project."""
    return [load_film(path, OWN_FILMS) for path in find_films(OWN_FILMS)]


def test_all_recordings_are_there() -> None:
    assert len(films()) == 45
    assert sum(bool(frame.in_flight) for film in films() for frame in film.frames) > 5000


@pytest.mark.timeout(900)
def test_no_frame_gives_a_false_zero_and_every_film_drains() -> None:
    command = [sys.executable, "-m", "films", "--step", "5", "--processes", str(min(2, os.cpu_count() or 1))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=880)
    last = done.stdout.splitlines()[-1] if done.stdout else done.stderr
    assert re.fullmatch(
        r"films: 45 films, \d+ frames, \d+ with work in flight, 0 false zeros, 0 stuck at the end", last
    )
    assert done.returncode == 0


def test_torn_readings_in_the_order_of_a_proof_give_no_false_zero() -> None:
    lies = [lie for film in films() for lie in torn_readings(film, samples=2).false_zeros]
    assert lies == []


def test_rows_read_before_queues_give_false_zeros() -> None:
    assert any(torn_readings(film, reverse=True, samples=2).false_zeros for film in films())


@pytest.mark.parametrize("messages_too", [False, True], ids=["rows taken out", "rows and messages taken out"])
def test_every_instance_in_flight_is_seen_with_its_neighbours_taken_out(messages_too: bool) -> None:
    lies = [lie for film in films() for lie in alone(film, messages_too=messages_too, step=5).false_zeros]
    assert lies == []
