"""The films command: what it prints, and that it can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from films.__main__ import main
from films.film import load_film
from tests.support.film_builder import FilmBuilder


def test_a_folder_without_films_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert "found none" in capsys.readouterr().out


def test_false_zeros_and_stuck_films_are_counted_and_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lie = FilmBuilder("Lie")
    lie.in_flight("seen by nobody")
    lie.row("done", "Completed")
    lie.film(tmp_path)
    stuck = FilmBuilder("Stuck")
    stuck.row("forgotten", "Running")
    stuck.film(tmp_path)
    assert main([str(tmp_path), "--processes", "1"]) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("films: 2 films, ")
    assert last.endswith(" 1 stuck at the end")
    assert " 0 false zeros" not in last


def test_hubs_of_a_shared_store_are_found_by_their_queues_when_nobody_tells(tmp_path: Path) -> None:
    builder = FilmBuilder("Ours")
    builder.in_flight("order-1")
    builder.put("order-1", "ExecutionStarted")
    builder.film(tmp_path)
    path = tmp_path / "Ours.storage.jsonl"
    text = path.read_text(encoding="utf-8")
    for table in ("Instances", "History"):
        text = text.replace(f"Ours{table}", f"Shared{table}")
    path.write_text(text, encoding="utf-8")
    film = load_film(path)
    (hub,) = film.hubs
    assert (hub.name, hub.tracking_prefix, hub.partitions) == ("Ours", "Shared", 4)
    assert film.in_flight(film.frames[-1], hub) == {"order-1"}
