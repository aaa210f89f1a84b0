"""Errors of zdd: one sentence with what was expected, found and to be done, whole after a trip between processes."""

from __future__ import annotations

import pickle

import pytest

from zdd.exceptions import BadInput, Conflict, DeadlinePassed, ReleaseFailed, Unknown, ZddError


@pytest.mark.parametrize("kind", [BadInput, Conflict, DeadlinePassed, ReleaseFailed, Unknown])
def test_an_error_says_all_and_survives_pickling(kind: type[ZddError]) -> None:
    error = kind("It is wrong", expected="a", found="b", do="c")
    assert str(error) == "It is wrong (expected: a; found: b; do: c)"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (kind, str(error))


def test_parts_that_are_not_known_are_left_out() -> None:
    assert str(ZddError("It is wrong")) == "It is wrong"
    assert str(ZddError("It is wrong", found="b")) == "It is wrong (found: b)"
