"""A release: its record with states, and the marker that it leaves in a slot's settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from zdd.core.version import parse_version
from zdd.exceptions import BadInput, Conflict

RELEASE_ID, PACKAGE_SHA256, PACKAGE_VERSION = "ZDD_RELEASE_ID", "ZDD_PACKAGE_SHA256", "ZDD_PACKAGE_VERSION"
MARKER_SETTINGS = (RELEASE_ID, PACKAGE_SHA256, PACKAGE_VERSION)


@dataclass(frozen=True)
class Marker:
    """Which release put the code there that is in a slot. Not sticky: it travels with the code."""

    release_id: str
    sha256: str
    version: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, str]) -> Marker | None:
        """The marker in a slot's app settings, or None. Half a marker is none: it is written in one call."""
        values = {name.upper(): value for name, value in settings.items()}
        if not values.get(RELEASE_ID) or not values.get(PACKAGE_SHA256):
            return None
        return cls(values[RELEASE_ID], values[PACKAGE_SHA256].lower(), values.get(PACKAGE_VERSION, ""))

    def to_settings(self) -> dict[str, str]:
        """The app settings to set, all in one replace-all."""
        return {RELEASE_ID: self.release_id, PACKAGE_SHA256: self.sha256, PACKAGE_VERSION: self.version}

    def __str__(self) -> str:
        return f"release {self.release_id} ({self.version or 'no version'}, sha256 {self.sha256[:12]})"


def is_live(production: Marker | None, *, sha256: str) -> bool:
    """Whether this very package is in production already, whichever release brought it."""
    return production is not None and production.sha256 == sha256.lower()


class ReleaseState(StrEnum):
    """Where a release stands. Ends: live, rolled back, or stopped with a reason."""

    STARTED = "started"
    DEPLOYED = "deployed"
    SWAPPING = "swapping"
    VERIFYING = "verifying"
    LIVE = "live"
    ROLLED_BACK = "rolled back"
    STOPPED = "stopped"

    @property
    def is_terminal(self) -> bool:
        """True when nothing more happens by itself."""
        return self in (ReleaseState.LIVE, ReleaseState.ROLLED_BACK, ReleaseState.STOPPED)


_S = ReleaseState
# A release that stopped may be started again; one that is live may be rolled back by hand later.
_MOVES: Mapping[ReleaseState, frozenset[ReleaseState]] = {
    _S.STARTED: frozenset({_S.DEPLOYED, _S.STOPPED}),
    _S.DEPLOYED: frozenset({_S.SWAPPING, _S.STOPPED}),
    _S.SWAPPING: frozenset({_S.VERIFYING, _S.LIVE, _S.ROLLED_BACK, _S.STOPPED}),
    _S.VERIFYING: frozenset({_S.LIVE, _S.ROLLED_BACK, _S.STOPPED}),
    _S.LIVE: frozenset({_S.ROLLED_BACK}),
    _S.ROLLED_BACK: frozenset({_S.STARTED}),
    _S.STOPPED: frozenset({_S.STARTED, _S.ROLLED_BACK}),
}


@dataclass(frozen=True)
class ReleaseRecord:
    """One release of one app, as the store keeps it."""

    release_id: str
    app: str
    strategy: str
    sha256: str
    version: str
    state: ReleaseState
    started_at: datetime
    changed_at: datetime
    reason: str = ""

    def moved(self, state: ReleaseState, *, now: datetime, reason: str = "") -> ReleaseRecord:
        """The record in its next state. The same state again is a retry; a state out of order raises Conflict."""
        if state is not self.state and state not in _MOVES[self.state]:
            raise Conflict(
                f"Release {self.release_id} cannot become {state.value}",
                expected=f"one of {', '.join(sorted(_MOVES[self.state])) or 'nothing more'}",
                found=f"it is {self.state.value} since {self.changed_at.isoformat()}",
                do="look at the run that moved it",
            )
        return dataclasses.replace(self, state=state, changed_at=now, reason=reason or self.reason)


def check_version_unchanged(known: Iterable[tuple[str, str]], *, version: str, sha256: str) -> None:
    """Raise BadInput when this version was released before with other content (promise S8).

    :param known: (version, sha256) of earlier releases of the app.
    """
    wanted = parse_version(version)
    for other_version, other_sha256 in known:
        if not other_version or parse_version(other_version) != wanted:
            continue
        if other_sha256.lower() != sha256.lower():
            raise BadInput(
                f"Version {version} was released before with another package",
                expected=f"sha256 {other_sha256[:16]}…",
                found=f"sha256 {sha256[:16]}…",
                do="give the new package a new version: a version's content never changes",
            )
