"""The sensor: looks once, defers with an absolute deadline, and says who blocks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from tests.support.scripted_drain import Clock, ScriptedDrain
from tests.support.task_context import task_context
from zdd.exceptions import Unknown
from zdd.sensors import ZeroRunningInstancesSensor, task_hub


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(task_hub, "utcnow", clock)
    return clock


def sensor(clock, script, **changes):
    arguments = {
        "task_id": "wait",
        "resource_group": "group",
        "app_name": "app",
        "slot_name": "staging",
        "settle_seconds": "10",
        "poll_seconds": "15",
        "drain_deadline_minutes": "60",
        "deferrable": True,
    }
    made = ZeroRunningInstancesSensor(**(arguments | changes))
    drain = ScriptedDrain(script, clock)
    made.drain = lambda: drain
    return made, drain


def deferred(made, context):
    with pytest.raises(TaskDeferred) as paused:
        made.execute(context)
    return paused.value


def test_it_looks_once_and_then_hands_the_wait_to_the_trigger(clock):
    made, drain = sensor(clock, ["busy"])
    pause = deferred(made, task_context())
    assert drain.looks == ["prove"]
    assert pause.method_name == "execute_complete"
    arguments = pause.trigger.serialize()[1]
    assert (arguments["slot"], arguments["poll_seconds"], arguments["settle_seconds"]) == ("staging", 15.0, 10.0)
    assert arguments["deadline"] == (clock.now + timedelta(minutes=60)).isoformat()
    assert pause.timeout > timedelta(minutes=60)


def test_a_first_zero_travels_to_the_trigger(clock):
    made, _ = sensor(clock, ["zero"])
    assert deferred(made, task_context()).trigger.watch["zeros"] == 1


def test_it_does_not_defer_when_one_proof_is_all_that_is_asked_for(clock):
    made, _ = sensor(clock, ["zero"], zeros=1, settle_seconds=0)
    result = made.execute(task_context())
    assert (result["outcome"], result["hub"]) == ("drained", "hub=a storage=one")
    assert result["watch"]["zeros"] == 1


def test_the_deadline_does_not_move_with_a_retry(clock):
    context = task_context()
    made, _ = sensor(clock, ["busy"])
    first = deferred(made, context).trigger.deadline
    clock.now += timedelta(minutes=20)
    again, _ = sensor(clock, ["busy"])
    assert deferred(again, context).trigger.deadline == first


def test_a_wait_that_ended_and_is_cleared_by_hand_gets_a_deadline_of_its_own(clock):
    context = task_context()
    made, _ = sensor(clock, ["busy"])
    first = deferred(made, context).trigger.deadline
    with pytest.raises(AirflowFailException):
        made.execute_complete(context, event(clock))
    clock.now += timedelta(hours=5)
    again, _ = sensor(clock, ["busy"])
    assert deferred(again, context).trigger.deadline > first


def event(clock, status="deadline", **changes):
    return {
        "status": status,
        "deadline": (clock.now + timedelta(minutes=60)).isoformat(),
        "state": "busy",
        "reason": "1 instance in flight",
        "hub": "hub=a",
        "began": clock.now.isoformat(),
        "evidence": {
            "blockers": [{"instance_id": "order-7", "name": "approve", "status": "Running", "age_seconds": 3725}]
        },
        "watch": {"zeros": 0},
        **changes,
    }


def test_a_passed_deadline_fails_without_retry_and_names_the_blockers_with_their_age(clock):
    made, _ = sensor(clock, ["busy"])
    context = task_context()
    with pytest.raises(AirflowFailException, match=r"approve order-7 \(Running, 1 h 2 min old\)") as failed:
        made.execute_complete(context, event(clock))
    assert "app/staging had not drained by" in str(failed.value)
    assert "order-7" in context["ti"].pushed["reason"]


@pytest.mark.parametrize("policy", ["handover", "terminate"])
def test_a_policy_for_the_deadline_passes_with_its_own_outcome(clock, policy):
    made, _ = sensor(clock, ["busy"], on_deadline=policy)
    result = made.execute_complete(task_context(), event(clock))
    assert result["outcome"] == policy
    assert result["evidence"]["blockers"]


def test_a_window_that_closes_ends_the_run_as_skipped_with_the_reason(clock):
    closes = (clock.now + timedelta(minutes=5)).isoformat()
    made, _ = sensor(clock, ["busy"], window_end=closes)
    assert deferred(made, task_context()).trigger.deadline == closes
    with pytest.raises(AirflowSkipException, match=r"window closed .*order-7"):
        made.execute_complete(task_context(), event(clock, deadline=closes))


def test_a_handover_looks_once_and_passes(clock):
    made, drain = sensor(clock, ["busy"], before_swap="handover")
    assert made.execute(task_context())["outcome"] == "handover"
    assert drain.looks == ["prove"]


def test_a_broken_wait_is_retried_and_not_taken_for_an_answer(clock):
    made, _ = sensor(clock, ["busy"])
    with pytest.raises(Unknown, match="boom"):
        made.execute_complete(task_context(), {"status": "error", "message": "boom"})


def test_an_open_gate_hands_its_evidence_on(clock):
    made, _ = sensor(clock, ["busy"])
    result = made.execute_complete(task_context(), event(clock, "open", state="drained", reason="nothing left"))
    assert (result["outcome"], result["reason"], result["window_closes"]) == ("drained", "nothing left", False)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"before_swap": "whenever"}, "before_swap"),
        ({"on_deadline": "shrug"}, "on_drain_deadline"),
        ({"status_source": "stars"}, "status_source"),
        ({"drain_deadline_minutes": "soon"}, "drain_deadline_minutes"),
        ({"settle_seconds": "-1"}, "settle_seconds"),
    ],
)
def test_a_bad_parameter_is_named_before_anything_else(clock, changes, named):
    made, drain = sensor(clock, ["zero"], **changes)
    with pytest.raises(AirflowFailException, match=named):
        made.execute(task_context())
    assert drain.looks == []


def test_without_deferral_it_pokes_until_the_hub_has_settled(clock, monkeypatch):
    made, drain = sensor(clock, ["busy", "busy", "zero", "zero"], deferrable=False)

    def sleep(seconds):
        clock.now += timedelta(seconds=seconds)

    monkeypatch.setattr("airflow.sdk.bases.sensor.time.sleep", sleep)
    assert made.execute(task_context())["outcome"] == "drained"
    assert len(drain.looks) == 4
