"""Release records, markers and locks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from zdd.core.locks import LockAct, LockRow, decide_lock, why_not_act
from zdd.core.release import Marker, ReleaseRecord, ReleaseState, check_version_unchanged, is_live
from zdd.exceptions import BadInput, Conflict

NOW = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
SHA = "ab" * 32


def test_a_marker_goes_into_settings_and_comes_back() -> None:
    marker = Marker("run-1", SHA, "1.2.3")
    assert Marker.of({"Other": "x", **marker.to_settings()}) == marker
    assert Marker.of({name.lower(): value for name, value in marker.to_settings().items()}) == marker


HALF = [{}, {"ZDD_RELEASE_ID": "run-1"}, {"ZDD_PACKAGE_SHA256": SHA, "ZDD_RELEASE_ID": ""}]


@pytest.mark.parametrize("settings", HALF)
def test_half_a_marker_is_none(settings: dict[str, str]) -> None:
    assert Marker.of(settings) is None


def test_a_package_is_live_whichever_release_brought_it() -> None:
    assert is_live(Marker("an older run", SHA), sha256=SHA.upper())
    assert not is_live(None, sha256=SHA)


def record(state: ReleaseState) -> ReleaseRecord:
    return ReleaseRecord("run-1", "orders", "status check with slot", SHA, "1.0.0", state, NOW, NOW)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ReleaseState.STARTED, ReleaseState.DEPLOYED),
        (ReleaseState.DEPLOYED, ReleaseState.SWAPPING),
        (ReleaseState.SWAPPING, ReleaseState.LIVE),
        (ReleaseState.VERIFYING, ReleaseState.ROLLED_BACK),
        (ReleaseState.STOPPED, ReleaseState.STARTED),
        (ReleaseState.SWAPPING, ReleaseState.SWAPPING),
    ],
)
def test_a_release_moves_forward_or_ends(before: ReleaseState, after: ReleaseState) -> None:
    assert record(before).moved(after, now=NOW, reason="because").state is after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ReleaseState.LIVE, ReleaseState.SWAPPING),
        (ReleaseState.STARTED, ReleaseState.LIVE),
        (ReleaseState.ROLLED_BACK, ReleaseState.LIVE),
    ],
)
def test_a_release_never_jumps(before: ReleaseState, after: ReleaseState) -> None:
    with pytest.raises(Conflict, match=f"it is {before.value} since"):
        record(before).moved(after, now=NOW)


def test_a_version_keeps_its_content() -> None:
    known = [("1.0.0", "cd" * 32), ("", "x"), ("1.1.0", SHA)]
    check_version_unchanged(known, version="1.1.0", sha256=SHA.upper())
    check_version_unchanged(known, version="1.2.0", sha256=SHA)
    with pytest.raises(BadInput, match="give the new package a new version"):
        check_version_unchanged(known, version="1.0.0", sha256=SHA)


def row(owner: str | None, *, expires: timedelta = timedelta(hours=1)) -> LockRow:
    return LockRow(owner, 4, NOW - timedelta(minutes=30), NOW + expires, doing="swapping")


LOCKS = [
    (None, LockAct.TAKE, 1, "nobody has ever held it"),
    (row(None), LockAct.TAKE, 5, "free"),
    (row("me"), LockAct.KEEP, 4, "retry"),
    (row("me", expires=-timedelta(hours=1)), LockAct.KEEP, 4, "retry"),
    (row("other"), LockAct.REFUSE, 4, "other holds it since 2026-03-01T01:30:00+00:00 (30 min), last doing: swapping"),
    (row("other", expires=timedelta(0)), LockAct.TAKE_OVER, 5, "expired"),
]


@pytest.mark.parametrize(("found", "act", "epoch", "said"), LOCKS)
def test_a_lock_is_taken_kept_taken_over_or_refused(found: LockRow | None, act: LockAct, epoch: int, said: str) -> None:
    decision = decide_lock(found, "me", now=NOW)
    assert (decision.act, decision.epoch) == (act, epoch)
    assert said in decision.reason


ACTING = [
    (row("me"), None),
    (None, "given back"),
    (row(None), "given back"),
    (row("other"), "other holds the lock now"),
    (LockRow("me", 5, NOW, NOW + timedelta(hours=1)), "epoch 5, this run had 4"),
    (row("me", expires=-timedelta(seconds=1)), "expired"),
]


@pytest.mark.parametrize(("found", "said"), ACTING)
def test_only_the_holder_of_the_epoch_may_act(found: LockRow | None, said: str | None) -> None:
    why = why_not_act(found, "me", 4, now=NOW)
    assert why is None if said is None else said in (why or "")
