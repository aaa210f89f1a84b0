"""Does a worker of one version take an instance of another?"""

from __future__ import annotations

import enum
import re

from local_azure.engine.settings import HubSettings, VersionFailure, VersionMatch

_DOTTED = re.compile(r"\d+(\.\d+){1,3}")


class VersionDecision(enum.Enum):
    """What the worker does with an instance."""

    TAKE = "take"
    REJECT = "put its messages back"
    FAIL = "end it as failed"


def compare(left: str | None, right: str | None) -> int:
    """Negative, zero or positive; no version is older than any, dotted numbers by number, all else as text."""
    left, right = left or "", right or ""
    if not left or not right:
        return bool(left) - bool(right)
    if _DOTTED.fullmatch(left) and _DOTTED.fullmatch(right):
        a, b = _parts(left), _parts(right)
    else:
        a, b = left.lower(), right.lower()  # type: ignore[assignment]
    return (a > b) - (a < b)


def _parts(version: str) -> tuple[int, ...]:
    # As .NET's Version does it: a part that is not given comes before a zero.
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [-1] * (4 - len(numbers)))


def decide(settings: HubSettings, version: str | None) -> VersionDecision:
    """Decide by the hub's match and failure strategies. Without a default version nothing is checked."""
    if settings.default_version is None or settings.version_match is VersionMatch.NONE:
        return VersionDecision.TAKE
    order = compare(version, settings.default_version)
    if order == 0 or (order < 0 and settings.version_match is VersionMatch.CURRENT_OR_OLDER):
        return VersionDecision.TAKE
    return VersionDecision.FAIL if settings.version_failure is VersionFailure.FAIL else VersionDecision.REJECT
