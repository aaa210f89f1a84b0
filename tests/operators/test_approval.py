"""Approvals: asked for only when needed, and a no is a no."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from tests.support.task_context import task_context
from zdd.operators.approval import ReleaseApprovalOperator


def approval(needed: str) -> ReleaseApprovalOperator:
    return ReleaseApprovalOperator(task_id="approve", needed=needed, subject="Swap 2.0.0 of app into production?")


@pytest.mark.parametrize("needed", ["False", "false", ""])
def test_it_is_skipped_when_nobody_asked_for_it(needed):
    with pytest.raises(AirflowSkipException):
        approval(needed).execute(task_context())


def test_a_word_that_is_no_yes_or_no_is_refused():
    with pytest.raises(AirflowFailException, match="approval"):
        approval("perhaps").execute(task_context())


def answered(choice: str):
    user = {"id": "1", "name": "ada"}
    return {
        "chosen_options": [choice],
        "params_input": {},
        "responded_at": datetime(2026, 11, 21, tzinfo=UTC),
        "responded_by_user": user,
    }


def test_a_yes_tells_who_said_it():
    assert approval("True").execute_complete(task_context(), answered("Approve")) == {"approved": True, "by": "ada"}


def test_a_no_ends_the_release_without_asking_again():
    context = task_context()
    with pytest.raises(AirflowFailException, match="Rejected by a person: Swap"):
        approval("True").execute_complete(context, answered("Reject"))
    assert "Rejected" in context["ti"].pushed["reason"]
