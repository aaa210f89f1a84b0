"""Versions: what is one, which line it belongs to, and what kind of change a step is."""

from __future__ import annotations

import pytest

from zdd.core.version import Change, change_between, is_breaking, line_of, parse_version
from zdd.exceptions import BadInput

STEPS = [
    (None, "1.0.0", Change.FIRST, False),
    ("1.0.0", "1.0.0", Change.SAME, False),
    ("1.0.0", "1.0.0+build.7", Change.SAME, False),
    ("1.0.1", "1.0.2", Change.PATCH, False),
    ("1.0.9", "1.0.10", Change.PATCH, False),
    ("1.0.0-rc.1", "1.0.0", Change.PATCH, False),
    ("1.0.1", "1.1.0", Change.MINOR, True),
    ("1.9.0", "1.10.0", Change.MINOR, True),
    ("1.9.9", "2.0.0", Change.MAJOR, True),
    ("1.0.2", "1.0.1", Change.DOWNGRADE, True),
    ("2.0.0", "1.9.9", Change.DOWNGRADE, True),
]


@pytest.mark.parametrize(("old", "new", "change", "breaking"), STEPS)
def test_a_step_between_versions_has_a_kind(old: str | None, new: str, change: Change, breaking: bool) -> None:
    assert change_between(old, new) is change
    assert is_breaking(old, new) is breaking


@pytest.mark.parametrize("text", ["", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "one", "1.2.3 beta", "1" * 5000 + ".0.0"])
def test_what_is_no_version_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match=r"expected: MAJOR\.MINOR\.PATCH such as 1\.4\.0"):
        parse_version(text)


def test_lines_sort_by_number_and_print_as_two_parts() -> None:
    assert [str(line) for line in sorted([line_of("1.10.3"), line_of("1.9.0"), line_of("2.0.1")])] == [
        "1.9",
        "1.10",
        "2.0",
    ]
