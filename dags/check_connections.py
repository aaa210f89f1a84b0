"""Try the connections of a release: each task says what it reached, or what is missing. Changes nothing.

The `Test` button of Airflow asks the hook of the Azure provider, which has no test for the type `azure`.
"""

from __future__ import annotations

from airflow.sdk import DAG

from zdd.operators.connections import CheckAzureOperator, CheckStorageOperator
from zdd.release_params import connection_params, optional_app_params
from zdd.slot_release import default_args, params

with DAG(
    dag_id="check_connections",
    description="Try the Azure and storage connections that releases use, and say what is missing",
    schedule=None,
    catchup=False,
    max_active_runs=4,
    default_args=default_args() | {"retries": 1},
    tags=["zdd", "azure"],
    params=connection_params() | optional_app_params(),
    doc_md=__doc__,
):
    who = params("slot_name", "azure_conn_id", "storage_conn_id")
    who |= {name: f"{{{{ params.{name} or '' }}}}" for name in ("resource_group", "app_name")}
    CheckAzureOperator(task_id="azure", **who)
    CheckStorageOperator(task_id="storage", **who)
