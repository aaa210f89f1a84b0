"""The task graph of a release by slot, used by every DAG that releases that way. Rules live in operators and core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow.sdk import TriggerRule

from zdd import settings
from zdd.operators.approval import ReleaseApprovalOperator
from zdd.operators.deploy import DeployToSlotOperator
from zdd.operators.package import InspectPackageOperator
from zdd.operators.release_store import LockAppOperator, UnlockAppOperator
from zdd.operators.report import ReportReleaseOperator
from zdd.operators.slots import CheckSlotsOperator
from zdd.operators.swap import SwapBackOperator, SwapSlotsOperator
from zdd.operators.terminate import TerminateInstancesOperator
from zdd.operators.verify import VerifySlotOperator
from zdd.sensors.task_hub import ZeroRunningInstancesSensor

ORDER = (
    "lock",
    "inspect_package",
    "check_slots",
    "wait_for_staging_to_drain",
    "approve_terminate_staging",
    "terminate_staging",
    "deploy_to_staging",
    "verify_staging",
    "approve",
    "wait_for_production_to_drain",
    "approve_terminate_production",
    "terminate_production",
    "swap",
    "verify_production",
    "swap_back",
)
PARAM = "{{{{ params.{} }}}}".format
PROBE_PATH = "{{ params.probe_path or '' }}"
# Skipped means here "not asked for", never "go on anyway": one task before must have succeeded.
GO_ON = TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS


def default_args() -> dict[str, Any]:
    """Arguments that every task of a release takes. Each looks at what is before it acts: trying again is safe."""
    return {"retries": 3, "retry_delay": settings.retry_delay()}


def params(*names: str) -> dict[str, Any]:
    """Arguments of an operator that have the name of a parameter, as templates of it."""
    return {name: PARAM(name) for name in names}


@dataclass(frozen=True)
class SlotRelease:
    """First and last task of the graph, for a DAG that puts more before it."""

    first: LockAppOperator
    last: ReportReleaseOperator


def slot_release(*, package: str, version: str, window_end: str = "", before: Sequence[str] = ()) -> SlotRelease:
    """Build the tasks inside the current DAG.

    :param package: template of the package's address.
    :param version: template of its version.
    :param window_end: template of the ISO time at which waits end as skipped; empty: there is no window.
    :param before: tasks that the DAG puts before the lock, for the report.
    """
    app = params("resource_group", "app_name", "slot_name", "azure_conn_id", "storage_conn_id")
    gate = params("settle_seconds", "poll_seconds", "status_source", "never_started")
    wait = gate | params("resource_group", "app_name", "azure_conn_id", "drain_deadline_minutes")
    wait |= {"window_end": window_end, "deferrable": True}
    lock = LockAppOperator(
        task_id="lock",
        drain_deadline_minutes=PARAM("drain_deadline_minutes"),
        approvals="{{ (1 if params.approval else 0) + (2 if params.on_drain_deadline == 'terminate' else 0) }}",
        purpose=f"release of version {version}",
        # Who is told that another release works on the app need not be told so for minutes.
        retries=1,
        **app,
    )
    inspect = InspectPackageOperator(task_id="inspect_package", package=package, version=version, **app)
    check = CheckSlotsOperator(
        task_id="check_slots",
        package=package,
        **params("before_swap", "on_drain_deadline", "entities", "other_triggers", "events_reach_staging"),
        **params("status_source"),
        **app,
    )
    wait_staging = ZeroRunningInstancesSensor(
        task_id="wait_for_staging_to_drain",
        slot_name=PARAM("slot_name"),
        # A slot with work in flight is never overwritten, so a handover is no answer here.
        on_deadline="{{ 'terminate' if params.on_drain_deadline == 'terminate' else 'fail' }}",
        **wait,
    )
    deploy = DeployToSlotOperator(
        task_id="deploy_to_staging",
        package=package,
        gate_task_ids=("terminate_staging", "wait_for_staging_to_drain"),
        trigger_rule=GO_ON,
        **gate,
        **app,
    )
    verify_staging = VerifySlotOperator(task_id="verify_staging", verify="staging", probe_path=PROBE_PATH, **app)
    approve = ReleaseApprovalOperator(
        task_id="approve",
        needed=PARAM("approval"),
        subject=f"Swap version {version} of {PARAM('app_name')} into production?",
        body=f"Version **{version}** runs in slot `{PARAM('slot_name')}` and has been verified there. After your "
        "approval the release waits until production has drained, and swaps.",
        response_timeout=settings.approval_timeout(),
    )
    wait_production = ZeroRunningInstancesSensor(
        task_id="wait_for_production_to_drain",
        slot_name="production",
        before_swap=PARAM("before_swap"),
        on_deadline=PARAM("on_drain_deadline"),
        trigger_rule=GO_ON,
        **wait,
    )
    swap = SwapSlotsOperator(
        task_id="swap",
        gate_task_ids=("terminate_production", "wait_for_production_to_drain"),
        events_reach_staging=PARAM("events_reach_staging"),
        trigger_rule=GO_ON,
        **gate,
        **app,
    )
    verify_production = VerifySlotOperator(
        task_id="verify_production", verify="production", probe_path=PROBE_PATH, **app
    )
    swap_back = SwapBackOperator(task_id="swap_back", trigger_rule=TriggerRule.ONE_FAILED, **app)
    report = ReportReleaseOperator(task_id="report", order=(*before, *ORDER), trigger_rule=TriggerRule.ALL_DONE, **app)
    unlock = UnlockAppOperator(task_id="unlock", **app)

    lock >> inspect >> check >> wait_staging
    wait_staging >> _terminate(wait_staging, slot=PARAM("slot_name"), name="staging", app=app, gate=gate) >> deploy
    wait_staging >> deploy >> verify_staging >> approve >> wait_production
    verify_staging >> wait_production
    wait_production >> _terminate(wait_production, slot="production", name="production", app=app, gate=gate) >> swap
    wait_production >> swap >> verify_production >> swap_back
    # Behind the teardown, and so outside its scope: it runs even when the lock was refused or never asked for.
    [verify_production, swap_back] >> unlock.as_teardown(setups=lock) >> report
    return SlotRelease(lock, report)


def _terminate(
    wait: ZeroRunningInstancesSensor, *, slot: str, name: str, app: dict[str, Any], gate: dict[str, Any]
) -> TerminateInstancesOperator:
    """Approval and termination after a wait that ended at its deadline; both are skipped otherwise."""
    waited = f"(ti.xcom_pull(task_ids='{wait.task_id}') or {{}})"
    ask = ReleaseApprovalOperator(
        task_id=f"approve_terminate_{name}",
        needed=f"{{{{ {waited}.get('outcome') == 'terminate' }}}}",
        subject=f"Terminate the instances that block {name} of {PARAM('app_name')}?",
        body=f"The wait ended at its deadline: {{{{ {waited}.get('reason') }}}}. Approving ends these instances for "
        "good; their work is lost. Rejecting ends the release.",
        response_timeout=settings.approval_timeout(),
    )
    terminate = TerminateInstancesOperator(
        task_id=f"terminate_{name}",
        terminate_in=slot,
        approval_task_id=ask.task_id,
        gate_task_ids=(wait.task_id,),
        **gate,
        **app,
    )
    wait >> ask >> terminate
    return terminate
