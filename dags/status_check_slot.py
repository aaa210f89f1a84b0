"""Release by slot: staging drains, gets the package and is verified; production drains; then the slots are swapped.

Both gates, the policies at their deadline and the optional approval are parameters of the run (docs: strategies).
"""

from __future__ import annotations

from airflow.sdk import DAG

from zdd.release_params import app_params, check_params, connection_params, gate_params, package_params
from zdd.slot_release import PARAM, default_args, slot_release

with DAG(
    dag_id="status_check_slot",
    description="Release a Durable Functions app through a slot without breaking a running orchestration",
    schedule=None,
    catchup=False,
    # Apps are released side by side; one app is released once at a time, by its lock in the release store, which also
    # keeps out releases that other Airflow deployments start.
    max_active_runs=16,
    default_args=default_args(),
    tags=["zdd", "azure", "release"],
    params=app_params() | package_params() | gate_params() | check_params() | connection_params(),
    doc_md=__doc__,
):
    slot_release(package=PARAM("package"), version=PARAM("version"))
