"""How the graph of a release goes on after each way in which a task can end: trigger rules, teardown, report.

The operators' work is replaced by a script, so that only the graph is tried; what they do has tests of its own.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from zdd.exceptions import BadInput, Conflict, ReleaseFailed
from zdd.operators.deploy import DeployToSlotOperator
from zdd.operators.package import InspectPackageOperator
from zdd.operators.release_store import LockAppOperator, UnlockAppOperator
from zdd.operators.report import ReportReleaseOperator
from zdd.operators.slots import CheckSlotsOperator
from zdd.operators.swap import SwapBackOperator, SwapSlotsOperator
from zdd.operators.terminate import TerminateInstancesOperator
from zdd.operators.verify import VerifySlotOperator
from zdd.sensors import ZeroRunningInstancesSensor

pytestmark = pytest.mark.timeout(240)
WORK = (
    LockAppOperator,
    InspectPackageOperator,
    CheckSlotsOperator,
    DeployToSlotOperator,
    VerifySlotOperator,
    SwapSlotsOperator,
    SwapBackOperator,
    TerminateInstancesOperator,
    UnlockAppOperator,
)
CONF = {"resource_group": "g", "app_name": "orders", "package": "/p.zip", "version": "1.0.0"}


@pytest.fixture
def run(dags, monkeypatch):
    """Run the DAG with a script of task id -> result or exception; gives the run's state, the tasks' and the reason."""

    # dag.test looks for the next task once a second.
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.05)))

    def play(script: dict[str, Any], *, approve: bool = False, **conf: Any):
        reasons = []

        def work(operator, _context):
            end = script.get(operator.task_id, {"outcome": "drained"})
            if isinstance(end, Exception):
                raise end
            return end

        def say(operator, _context, ending):
            text = real(operator, _context, ending)
            reasons.append(text)
            return text

        for kind in WORK:
            monkeypatch.setattr(kind, "act", work)
        monkeypatch.setattr(ZeroRunningInstancesSensor, "_start", work)
        # Nothing was swapped back unless the script says so.
        script.setdefault("swap_back", AirflowSkipException("Nothing was swapped by this release"))
        script.setdefault("lock", {"release_id": "r1", "app_key": "k", "lock": {}})
        real = ReportReleaseOperator._reason
        monkeypatch.setattr(ReportReleaseOperator, "_reason", say)
        monkeypatch.setattr(ReportReleaseOperator, "store", FakeStore(), raising=False)
        monkeypatch.setattr(ReportReleaseOperator, "_stragglers", lambda *_: None)
        pattern = "approve_.*" if approve else None
        made = dags["status_check_slot"].test(run_conf=CONF | conf, mark_success_pattern=pattern)
        return made.state, {ti.task_id: ti.state for ti in made.get_task_instances()}, reasons[-1]

    return play


class FakeStore:
    """Takes every record."""

    def record_release(self, *_: Any, **__: Any) -> None:
        """Keep nothing."""


def test_production_that_does_not_come_up_is_swapped_back_unlocked_and_fails_the_run(run):
    state, tasks, reason = run({"verify_production": ReleaseFailed("no answer"), "swap_back": {"swapped_back": True}})
    assert (tasks["swap_back"], tasks["unlock"], tasks["report"], state) == ("success", "success", "failed", "failed")
    assert reason == "verify_production failed, production was swapped back: no answer"


def test_bad_input_stops_the_release_before_anything_is_changed_and_gives_the_lock_back(run):
    state, tasks, reason = run({"check_slots": BadInput("auto swap is on")})
    assert {tasks[task] for task in ("wait_for_staging_to_drain", "deploy_to_staging", "swap")} == {"upstream_failed"}
    assert (tasks["swap_back"], tasks["unlock"], state) == ("skipped", "success", "failed")
    assert reason == "failed at check_slots: auto swap is on"


def test_a_lock_of_somebody_else_is_reported_and_not_given_back(run):
    state, tasks, reason = run({"lock": Conflict("run-7 holds it since 02:00")})
    assert (tasks["lock"], tasks["inspect_package"], state) == ("failed", "upstream_failed", "failed")
    assert tasks["unlock"] in ("upstream_failed", "skipped", None)
    assert "run-7 holds it since 02:00" in reason


def test_a_wait_that_skips_skips_all_that_changes_anything_and_the_run_ends_cleanly(run):
    state, tasks, reason = run({"wait_for_production_to_drain": AirflowSkipException("The release window closed")})
    assert {tasks[t] for t in ("approve_terminate_production", "terminate_production", "swap")} == {"skipped"}
    assert {tasks[t] for t in ("verify_production", "swap_back")} == {"skipped"}
    assert (tasks["deploy_to_staging"], tasks["unlock"], state) == ("success", "success", "success")
    assert reason == "ended without a release: The release window closed"


def test_instances_that_could_not_be_terminated_stop_the_release(run):
    wait = {"outcome": "terminate", "reason": "1 instance in flight"}
    script = {"wait_for_staging_to_drain": wait, "terminate_staging": ReleaseFailed("order-7 goes on")}
    state, tasks, reason = run(script, approve=True, on_drain_deadline="terminate")
    assert (tasks["deploy_to_staging"], tasks["unlock"], state) == ("upstream_failed", "success", "failed")
    assert reason == "failed at terminate_staging: order-7 goes on"
