"""Goals, what was measured against them, and how both are printed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Measured:
    """One goal with the figure that was measured for it. Met when the figure is at most the goal's."""

    goal: str
    unit: str
    figure: float
    at_most: float
    detail: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the figure keeps within the goal."""
        return self.figure <= self.at_most


def table(results: Iterable[Measured]) -> str:
    """Return the results as a table for a terminal."""
    head = ("goal", "measured", "at most", "", "detail")
    rows = [
        (each.goal, _number(each), f"{each.at_most:g} {each.unit}", "met" if each.is_met else "MISSED", each.detail)
        for each in results
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]
    )


def as_json(results: Iterable[Measured]) -> str:
    """Return the results as one line of JSON."""
    return json.dumps([asdict(each) | {"met": each.is_met} for each in results])


def last_line(results: Sequence[Measured]) -> str:
    """Return the closing line, which scripts read."""
    return f"bench: {len(results)} goals, {sum(not each.is_met for each in results)} missed"


def _number(each: Measured) -> str:
    return f"{each.figure:.4g} {each.unit}"
