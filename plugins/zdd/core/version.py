"""Versions of packages: semver, the release line (major.minor), and what kind of change one is to another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import semver

from zdd.core.hub_name import shown
from zdd.exceptions import BadInput


class Change(StrEnum):
    """What the step from one version to another is."""

    FIRST = "first"
    SAME = "same"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"
    DOWNGRADE = "downgrade"

    @property
    def is_breaking(self) -> bool:
        """Whether running instances of the old version may not be replayed on the new one: the line changes.

        A minor release counts as breaking, as in Microsoft's article: only the patch part promises compatibility.
        """
        return self in (Change.MINOR, Change.MAJOR, Change.DOWNGRADE)


@dataclass(frozen=True, order=True)
class ReleaseLine:
    """Versions that may replace each other under running instances: one `major.minor`."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


def parse_version(text: str) -> semver.Version:
    """A version of three numbers. Raises BadInput for anything else, `v1.2.3` and `1.2` included."""
    try:
        if len(text) > 100:
            raise ValueError
        return semver.Version.parse(text.strip())
    except (ValueError, TypeError):
        raise BadInput(
            "The version cannot be read",
            expected="MAJOR.MINOR.PATCH such as 1.4.0 (semver, no leading v)",
            found=shown(str(text)),
            do="correct the parameter version",
        ) from None


def line_of(version: str) -> ReleaseLine:
    """The release line that a version belongs to."""
    parsed = parse_version(version)
    return ReleaseLine(parsed.major, parsed.minor)


def change_between(old: str | None, new: str) -> Change:
    """What a release of `new` over `old` (None: nothing is live yet) is. Build metadata (`+…`) does not count."""
    after = parse_version(new)
    if old is None:
        return Change.FIRST
    before = parse_version(old)
    order = after.compare(before)
    if order == 0:
        return Change.SAME
    if (after.major, after.minor) == (before.major, before.minor):
        return Change.PATCH if order > 0 else Change.DOWNGRADE
    if order < 0:
        return Change.DOWNGRADE
    return Change.MAJOR if after.major > before.major else Change.MINOR


def is_breaking(old: str | None, new: str) -> bool:
    """Whether the step changes the release line, or goes back."""
    return change_between(old, new).is_breaking
