"""What importing the plugin and the DAGs costs, and how the graphs are made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = ("azure", "airflow.providers.microsoft")

# In a process of its own: this one has imported half of Azure for other tests.
PROBE = """
import json, sys
from airflow import plugins_manager
from airflow.dag_processing.dagbag import DagBag
before = set(sys.modules)
plugins_manager._get_plugins()
errors = {str(k): str(v) for k, v in plugins_manager.get_import_errors().items()}
bag = DagBag(sys.argv[1])
heavy = sorted(name for name in set(sys.modules) if name.startswith(("azure.", "airflow.providers.microsoft."))
               and not name.endswith("get_provider_info") and name != "airflow.providers.microsoft.azure")
json.dump({
    "plugin_errors": errors,
    "dag_errors": {str(k): str(v) for k, v in bag.import_errors.items()},
    "dags": {d.dag_id: {
        "max_active_runs": d.max_active_runs,
        "schedule": getattr(d.timetable, "expression", None) or getattr(d.timetable, "_expression", None),
        "retries": {t.task_id: t.retries for t in d.tasks},
        "upstream": {t.task_id: sorted(t.upstream_task_ids) for t in d.tasks},
        "params": {
        k: d.params.get_param(k).schema
        | {"description": d.params.get_param(k).description, "value": str(d.params.get_param(k).value)}
        for k in d.params
    },
        "teardowns": [t.task_id for t in d.tasks if t.is_teardown],
    } for d in bag.dags.values()},
    "heavy": heavy,
    "strays": [name for name in ("triggers", "azure", "task_hub", "swap", "settings") if name in sys.modules
               and "plugins" in str(getattr(sys.modules[name], "__file__", ""))],
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def found():
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join([str(ROOT / "plugins")])}
    environment |= {"AIRFLOW__ZDD__NIGHTLY_RESOURCE_GROUP": "group", "AIRFLOW__ZDD__NIGHTLY_APP_NAME": "orders"}
    environment["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE, str(ROOT / "dags")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    return json.loads(answer.stdout[answer.stdout.index('{"plugin_errors"') :])


def test_the_plugin_and_every_dag_are_imported_without_an_error(found):
    assert (found["plugin_errors"], found["dag_errors"]) == ({}, {})
    assert set(found["dags"]) == {"status_check_slot", "nightly_release", "check_connections"}


def test_importing_them_loads_nothing_of_azure_and_nothing_of_its_provider(found):
    assert found["heavy"] == []


def test_no_module_of_the_plugin_is_loaded_under_its_bare_name(found):
    assert found["strays"] == []


@pytest.mark.parametrize("dag_id", ["status_check_slot", "nightly_release"])
def test_every_task_is_retried_and_the_lock_is_given_back(found, dag_id):
    dag = found["dags"][dag_id]
    assert all(retries >= 1 for retries in dag["retries"].values())
    assert dag["teardowns"] == ["unlock"]


def test_releases_of_several_apps_go_on_side_by_side_and_nights_one_after_the_other(found):
    assert found["dags"]["status_check_slot"]["max_active_runs"] == 16
    assert found["dags"]["nightly_release"]["max_active_runs"] == 1


def test_the_release_waits_before_it_deploys_and_again_before_it_swaps(found):
    upstream = found["dags"]["status_check_slot"]["upstream"]
    assert upstream["inspect_package"] == ["lock"]
    assert upstream["check_slots"] == ["inspect_package"]
    assert upstream["wait_for_staging_to_drain"] == ["check_slots"]
    assert upstream["deploy_to_staging"] == ["terminate_staging", "wait_for_staging_to_drain"]
    assert upstream["verify_staging"] == ["deploy_to_staging"]
    assert upstream["wait_for_production_to_drain"] == ["approve", "verify_staging"]
    assert upstream["swap"] == ["terminate_production", "wait_for_production_to_drain"]
    assert upstream["verify_production"] == ["swap"]
    assert upstream["unlock"] == ["lock", "swap_back", "verify_production"]
    assert upstream["report"] == ["unlock"]


def test_every_parameter_of_the_form_has_a_title_a_help_text_and_a_section(found):
    for dag in found["dags"].values():
        for name, schema in dag["params"].items():
            assert schema.get("title"), name
            assert len(schema.get("description") or schema.get("description_md", "")) > 20, name
            assert schema.get("section"), name
            assert schema.get("type"), name


def test_no_parameter_is_an_empty_text_by_default_since_the_form_takes_that_for_a_missing_one(found):
    for dag in found["dags"].values():
        assert [name for name, schema in dag["params"].items() if schema.get("value") == ""] == []


def test_the_nightly_release_is_scheduled_only_for_an_app_of_the_configuration(found):
    dag = found["dags"]["nightly_release"]
    assert dag["schedule"] == "5 * * * *"
    assert dag["upstream"]["lock"] == ["choose_package"]
