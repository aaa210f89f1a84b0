"""docker-compose.yaml: valid, and each service really starts and passes its own health check."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.project.compose_stack import COMPOSE_FILE, ONE_SHOT, ROOT, ComposeStack, interpolate

SERVICES: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())["services"]
LONG_RUNNING = [name for name in SERVICES if name not in ONE_SHOT]


@pytest.fixture(scope="module")
def stack() -> Iterator[ComposeStack]:
    """All services of the file, running; one start for the whole module, since it takes about half a minute."""
    with ComposeStack() as running:
        yield running


def test_the_file_is_valid_against_the_compose_specification() -> None:
    command = ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE_FILE)]
    checked = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_long_running_service_has_a_health_check() -> None:
    assert [name for name in LONG_RUNNING if "test" not in SERVICES[name].get("healthcheck", {})] == []


def test_every_port_is_published_on_the_loopback_address_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_every_mounted_folder_of_the_checkout_exists() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    folders = {source for source in mounted if source.startswith(".")}
    assert folders
    assert [folder for folder in sorted(folders) if not (ROOT / folder).is_dir()] == []


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("${A:-b}", {}, "b"),
        ("${A:-b}", {"A": "c"}, "c"),
        ("${A:-}", {}, ""),
        ("x$$y", {}, "x$y"),
        ("plain", {}, "plain"),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, environment: dict[str, str], expected: str) -> None:
    assert interpolate(text, environment) == expected


@pytest.mark.timeout(300)
@pytest.mark.parametrize("service", LONG_RUNNING)
def test_the_service_runs_and_passes_its_health_check(stack: ComposeStack, service: str) -> None:
    stack.wait_until_healthy(service)


@pytest.mark.timeout(300)
def test_airflow_on_postgres_sees_all_its_parts_and_our_dags(stack: ComposeStack) -> None:
    base = f"http://127.0.0.1:{stack.ports[8080]}"
    stack.wait_until_healthy("airflow-apiserver")

    def get(path: str, token: str = "") -> dict[str, Any]:
        request = urllib.request.Request(base + path, headers={"Authorization": f"Bearer {token}"} if token else {})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    health = get("/api/v2/monitor/health")
    parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
    assert {part: health[part]["status"] for part in parts} == dict.fromkeys(parts, "healthy")
    token = get("/auth/token")["access_token"]
    assert get("/api/v2/plugins/importErrors", token)["import_errors"] == []


CONNECT = """
import os, sys
sys.path.insert(0, os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"])
from zdd.hooks.azure import AzureHook
from zdd.hooks.release_store import ReleaseStoreHook
works, says = AzureHook().test_connection()
assert works, says
assert ReleaseStoreHook().get_conn().intent("an app", "a release", "swap") is None
"""


@pytest.mark.timeout(300)
def test_airflows_connections_reach_local_azure_and_azurite(stack: ComposeStack) -> None:
    for name in ("azurite", "local-azure"):
        stack.wait_until_healthy(name)
    run = stack.run_beside("airflow-triggerer", ("python", "-c", CONNECT))
    assert run.returncode == 0, run.stdout
