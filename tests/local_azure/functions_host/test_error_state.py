"""A host that cannot start still answers, and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from .child import Child

DURABLE_APP = """
import azure.durable_functions as df
app = df.DFApp()
@app.orchestration_trigger(context_name="context")
def nothing(context): yield
"""


def host(root: Path, azurite: str, tmp_path: Path, **settings: str) -> Child:
    return Child(root, azurite, "ErrorHub", log=tmp_path / "host.log", **settings)


@pytest.mark.parametrize(
    ("host_json", "source", "slot", "message"),
    [
        ("{", DURABLE_APP, "Production", "Unable to parse host configuration file"),
        ('{"version": "2.0"}', DURABLE_APP, "staging", "Task Hub name must be specified in host.json when using slots"),
        ('{"version": "2.0"}', "import nothing_like_that", "Production", "No module named 'nothing_like_that'"),
    ],
)
def test_it_reports_what_is_wrong_and_serves_nothing_else(
    azurite: str, tmp_path: Path, host_json: str, source: str, slot: str, message: str
) -> None:
    root = tmp_path / "app"
    root.mkdir()
    (root / "host.json").write_text(host_json)
    (root / "function_app.py").write_text(source)
    with host(root, azurite, tmp_path, WEBSITE_SLOT_NAME=slot) as child:
        status = child.status()
        assert status["state"] == "Error"
        assert message in status["errors"][0]
        assert child.call("GET", "/").status_code == 200
        assert child.call("GET", "/api/anything").status_code == 503
        assert child.call("GET", "/runtime/webhooks/durabletask/instances").status_code == 503
        assert child.call("GET", "/admin/host/ping").status_code == 200
        assert child.call("GET", "/admin/host/status").status_code == 401
        assert child.stop() < 5


def test_without_storage_for_the_host_it_says_so(tmp_path: Path) -> None:
    with host(tmp_path, "", tmp_path) as child:
        assert child.status()["state"] == "Error"
        assert "AzureWebJobsStorage" in child.status()["errors"][0]


def test_an_empty_site_runs_without_functions(azurite: str, tmp_path: Path) -> None:
    root = tmp_path / "app"
    root.mkdir()
    with host(root, azurite, tmp_path, WEBSITE_SLOT_NAME="staging") as child:
        assert child.status()["state"] == "Running"
        assert child.admin("functions") == []
        assert child.admin("host/keys")["systemKeys"] == {}
        assert child.call("GET", "/api/anything").status_code == 404
