"""The report: one line that says how a release ended, and a run that fails unless it is live or had nothing to do."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException

from zdd.operators import report
from zdd.operators.report import LIVE, NOTHING, ROLLED_BACK, STOPPED, ReportReleaseOperator, ending_of
from zdd.slot_release import ORDER

UP_TO_SWAP = dict.fromkeys(ORDER[: ORDER.index("swap")], "success")


def states(**changes):
    return dict.fromkeys(ORDER) | UP_TO_SWAP | changes


@pytest.mark.parametrize(
    ("found", "outcome", "task_id"),
    [
        (states(swap="success", verify_production="success", swap_back="skipped"), LIVE, None),
        (states(swap="success", verify_production="failed", swap_back="success"), ROLLED_BACK, "verify_production"),
        (states(swap="success", verify_production="failed", swap_back="failed"), STOPPED, "verify_production"),
        (states(swap="failed", verify_production="upstream_failed", swap_back="skipped"), STOPPED, "swap"),
        (states(check_slots="failed", swap="upstream_failed"), STOPPED, "check_slots"),
        (states(wait_for_staging_to_drain="skipped", swap="skipped", verify_production="skipped"), NOTHING, None),
        (dict.fromkeys(ORDER) | {"lock": "failed"}, STOPPED, "lock"),
        (dict.fromkeys(ORDER), STOPPED, "swap"),
    ],
)
def test_the_ending_follows_from_the_states_of_the_tasks(found, outcome, task_id):
    ending = ending_of(found, swap="swap", verify="verify_production", swap_back="swap_back")
    assert (ending.outcome, ending.task_id) == (outcome, task_id)


@pytest.fixture
def operator(world, monkeypatch):
    made = world.operator(ReportReleaseOperator, ("zero",), task_id="report", order=ORDER)
    monkeypatch.setattr(report, "SlotDrain", lambda *_: made.scripted)
    return made


def test_a_live_release_is_recorded_and_what_stayed_behind_is_counted(world, operator):
    world.results["swap"] = {"stragglers_reached_by": "through production by their own management URLs"}
    operator.scripted._script = ["busy"]
    result = operator.execute(world.context(states=states(swap="success", verify_production="success")))
    assert result["stragglers"]["in_flight"] == 1
    assert "through production" in result["stragglers"]["note"]
    assert world.store.releases(world.key)[0]["State"] == "live"


def test_a_swap_back_says_what_the_new_version_had_begun(world, operator):
    world.results["swap"] = {"stragglers_reached_by": "through production (taskHub=Old)"}
    world.results["swap_back"] = {"stragglers_reached_by": "through production (taskHub=New)"}
    operator.scripted._script = ["busy"]
    found = states(swap="success", verify_production="failed", swap_back="success")
    with pytest.raises(
        AirflowFailException, match=r"1 instance\(s\) of the version that was swapped back go on"
    ) as end:
        operator.execute(world.context(states=found))
    assert "taskHub=New" in str(end.value)
    assert world.store.releases(world.key)[0]["State"] == "rolled back"


def test_a_release_that_stopped_fails_the_run_with_the_words_of_the_task_that_stopped_it(world, operator):
    context = world.context(states=states(check_slots="failed", swap="upstream_failed"))
    context["ti"].told[("check_slots", "reason")] = "auto swap is on"
    with pytest.raises(AirflowFailException, match="auto swap is on"):
        operator.execute(context)
    assert world.store.releases(world.key)[0]["Reason"] == "failed at check_slots: auto swap is on"


def test_a_run_with_nothing_to_do_succeeds_and_says_why(world, operator):
    world.results.pop("lock")
    world.results.pop("inspect_package")
    context = world.context(states=states(lock="skipped", swap="skipped"))
    context["ti"].told[("wait_for_staging_to_drain", "reason")] = "The release window closed"
    context["ti"].told[("approve", "reason")] = "No approval is asked for here"
    assert operator.execute(context)["reason"] == "ended without a release: The release window closed"
