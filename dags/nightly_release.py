"""Release what is queued for an app, inside a nightly window: the same protocol as `status_check_slot`.

The Airflow Variable `zdd_next_<app>` names the package, as JSON:
`{"package": "wasb://packages/app-1.4.0.zip", "version": "1.4.0"}`.
A run ends as skipped when that is live already, and ends cleanly when the window closes before the hub has drained.
"""

from __future__ import annotations

from airflow.sdk import DAG

from zdd import settings
from zdd.operators.nightly import ChoosePackageOperator
from zdd.release_params import app_params, check_params, connection_params, gate_params, window_params
from zdd.slot_release import default_args, params, slot_release

CHOSEN = "{{{{ ti.xcom_pull(task_ids='choose_package')['{}'] }}}}".format

app = settings.nightly_app()

with DAG(
    dag_id="nightly_release",
    description="Release the queued package of a Durable Functions app in the window in which nothing runs",
    # Without an app in the configuration there is nothing to schedule: the DAG is then started by hand or over REST.
    schedule=settings.nightly_schedule() if app else None,
    catchup=False,
    max_active_runs=1,
    default_args=default_args(),
    tags=["zdd", "azure", "release"],
    params=app_params(*(app or ())) | window_params() | gate_params() | check_params() | connection_params(),
    doc_md=__doc__,
):
    choose = ChoosePackageOperator(
        task_id="choose_package",
        **params("window_from", "window_to", "time_zone"),
        **params("resource_group", "app_name", "slot_name", "azure_conn_id", "storage_conn_id"),
    )
    release = slot_release(
        package=CHOSEN("package"), version=CHOSEN("version"), window_end=CHOSEN("window_end"), before=(choose.task_id,)
    )
    choose >> release.first
