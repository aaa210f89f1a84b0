"""What a retried deployment or swap does: tables, and rules that hold in every combination."""

from __future__ import annotations

import itertools

import pytest

from zdd.core.release import Marker
from zdd.core.release_plan import Act, Intent, Operation, plan_deploy, plan_swap, plan_swap_back

MINE = Marker("run-2", "ab" * 32, "1.1.0")
OLD = Marker("run-1", "cd" * 32, "1.0.0")
OTHER = Marker("run-9", "ef" * 32, "1.0.9")
SAME_ID = Marker("run-2", "00" * 32, "1.1.0")
NONE, STARTED, SUCCEEDED, FAILED = Intent.NONE, Intent.STARTED, Intent.SUCCEEDED, Intent.FAILED
IDLE, RUNNING, UNKNOWN = Operation.NONE, Operation.RUNNING, Operation.UNKNOWN

SWAPS = [
    # production, staging, intent, token, operation -> what, why
    (OLD, MINE, NONE, False, IDLE, Act.DO, "no swap runs"),
    (None, MINE, NONE, False, IDLE, Act.DO, "no swap runs"),
    (OLD, MINE, STARTED, False, IDLE, Act.DO, "still in staging"),
    (OLD, MINE, STARTED, True, IDLE, Act.RESUME, "nobody saw its end"),
    (OLD, MINE, STARTED, True, RUNNING, Act.RESUME, "still running"),
    (OLD, MINE, STARTED, False, RUNNING, Act.WAIT, "this release started one"),
    (OLD, MINE, NONE, False, RUNNING, Act.WAIT, "this release started none"),
    (OLD, MINE, FAILED, True, IDLE, Act.DO, "the last swap failed"),
    (OLD, MINE, FAILED, True, RUNNING, Act.WAIT, "a swap runs"),
    (OLD, MINE, STARTED, True, UNKNOWN, Act.WAIT, "unknown is not none"),
    (MINE, OLD, STARTED, False, IDLE, Act.DONE, "in production"),
    (MINE, OLD, STARTED, True, IDLE, Act.DONE, "in production"),
    (MINE, OLD, SUCCEEDED, True, IDLE, Act.DONE, "in production"),
    (MINE, None, NONE, False, IDLE, Act.DONE, "in production"),
    (MINE, OLD, STARTED, True, RUNNING, Act.RESUME, "still running"),
    (MINE, OLD, STARTED, False, UNKNOWN, Act.WAIT, "unknown"),
    (OLD, MINE, SUCCEEDED, True, IDLE, Act.CONFLICT, "swapped it back"),
    (MINE, MINE, STARTED, True, IDLE, Act.CONFLICT, "both slots"),
    (OLD, OTHER, STARTED, True, IDLE, Act.CONFLICT, "release run-9 (1.0.9"),
    (OLD, None, NONE, False, IDLE, Act.CONFLICT, "staging holds no release of ours"),
    (OLD, SAME_ID, NONE, False, IDLE, Act.CONFLICT, "in neither slot"),
]


@pytest.mark.parametrize(("production", "staging", "intent", "token", "operation", "act", "why"), SWAPS)
def test_a_swap_is_decided_by_the_markers_of_both_slots(
    production: Marker | None,
    staging: Marker | None,
    intent: Intent,
    token: bool,
    operation: Operation,
    act: Act,
    why: str,
) -> None:
    decision = plan_swap(
        MINE, production=production, staging=staging, intent=intent, has_token=token, operation=operation
    )
    assert decision.act is act
    assert why in decision.reason


def test_a_swap_back_is_the_same_decision_the_other_way_round() -> None:
    assert plan_swap_back(MINE, production=MINE, staging=OLD).act is Act.DO
    assert plan_swap_back(MINE, production=OLD, staging=MINE).act is Act.DONE
    assert "staging holds release run-9" in plan_swap_back(MINE, production=OLD, staging=OTHER).reason


MARKERS = (None, MINE, OLD, OTHER, SAME_ID)


def test_in_no_combination_is_a_swap_started_that_could_be_one_too_many() -> None:
    for production, staging, intent, token, operation in itertools.product(
        MARKERS, MARKERS, Intent, (False, True), Operation
    ):
        act = plan_swap(
            MINE, production=production, staging=staging, intent=intent, has_token=token, operation=operation
        ).act
        if act is Act.DO:
            assert staging == MINE
            assert production != MINE
            assert operation not in (RUNNING, UNKNOWN)
            assert intent is not SUCCEEDED
        if act is Act.DONE:
            assert production == MINE
        if act is Act.RESUME:
            assert token


DEPLOYS = [
    (OLD, None, NONE, False, IDLE, Act.DO, "no release of ours"),
    (OLD, OTHER, NONE, False, IDLE, Act.DO, "run-9"),
    (OLD, OTHER, STARTED, False, IDLE, Act.DO, "run-9"),
    (OLD, OTHER, STARTED, True, RUNNING, Act.RESUME, "still running"),
    (OLD, OTHER, STARTED, True, Operation.SUCCEEDED, Act.RESUME, "verify"),
    (OLD, OTHER, STARTED, True, Operation.FAILED, Act.DO, "the last deployment failed"),
    (OLD, OTHER, FAILED, True, IDLE, Act.DO, "the last deployment failed"),
    (OLD, OTHER, NONE, False, RUNNING, Act.WAIT, "did not start"),
    (OLD, OTHER, NONE, False, UNKNOWN, Act.WAIT, "unknown"),
    (OLD, MINE, SUCCEEDED, True, IDLE, Act.DONE, "verified"),
    (OLD, MINE, NONE, False, RUNNING, Act.WAIT, "did not start"),
    (OLD, OTHER, SUCCEEDED, True, IDLE, Act.CONFLICT, "meanwhile"),
    (MINE, OLD, NONE, False, IDLE, Act.DONE, "in production already"),
    (OLD, SAME_ID, NONE, False, IDLE, Act.CONFLICT, "another package under this release's id"),
    (SAME_ID, OLD, NONE, False, IDLE, Act.CONFLICT, "production holds another package"),
]


@pytest.mark.parametrize(("production", "staging", "intent", "known", "operation", "act", "why"), DEPLOYS)
def test_a_deployment_is_decided_by_marker_intent_and_operation(
    production: Marker | None,
    staging: Marker | None,
    intent: Intent,
    known: bool,
    operation: Operation,
    act: Act,
    why: str,
) -> None:
    decision = plan_deploy(
        MINE, production=production, staging=staging, intent=intent, has_id=known, operation=operation
    )
    assert decision.act is act
    assert why in decision.reason


def test_in_no_combination_is_staging_overwritten_after_the_swap_or_beside_another_deployment() -> None:
    for production, staging, intent, known, operation in itertools.product(
        MARKERS, MARKERS, Intent, (False, True), Operation
    ):
        act = plan_deploy(
            MINE, production=production, staging=staging, intent=intent, has_id=known, operation=operation
        ).act
        if act is Act.DO:
            assert MINE not in (production, staging)
            assert operation not in (RUNNING, UNKNOWN)
