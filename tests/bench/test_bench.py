"""The bench: its figures come from real readings, and its closing line tells what was missed."""

from __future__ import annotations

import json

from bench.drain_verdict import measure
from bench.goals import Measured, as_json, last_line, table

MET = Measured("a goal", "ms", 9.5, 10)
MISSED = Measured("another", "requests", 3, 2, "why")


def test_a_goal_is_met_when_the_figure_is_at_most_the_goal() -> None:
    assert [each.is_met for each in (MET, MISSED, Measured("a third", "ms", 10, 10))] == [True, False, True]


def test_the_table_names_the_missed_goal() -> None:
    assert [line.split()[0] for line in table([MET, MISSED]).splitlines() if "MISSED" in line] == ["another"]


def test_the_json_holds_every_figure() -> None:
    assert [(each["figure"], each["met"]) for each in json.loads(as_json([MET, MISSED]))] == [(9.5, True), (3, False)]


def test_the_closing_line_counts_goals_and_misses() -> None:
    assert last_line([MET, MISSED]) == "bench: 2 goals, 1 missed"


async def test_a_poll_reads_one_row_and_a_proof_keeps_to_its_number_of_requests(azurite: str) -> None:
    results = await measure(azurite, rows=60, live=6, rounds=2)
    counted = [each for each in results if each.unit in ("requests", "pages")]
    assert len(counted) == 3
    assert [each.goal for each in counted if not each.is_met] == []
