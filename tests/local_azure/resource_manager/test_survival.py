"""State outlives local Azure: a polite stop, a SIGKILL, and one in the middle of a swap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from azure.core.exceptions import ResourceExistsError

from local_azure.launch import LocalAzure
from tests.local_azure.cloud import App, client_of, eventually, http, make_app, package, running


def wait_for(azure: LocalAzure, text: str) -> None:
    eventually(lambda: text in azure.log.read_text())


def consistent(app: App) -> tuple[str, str]:
    """Versions in production and staging, once each code has come up with the settings that travel with it."""
    found = (app.version("production"), app.version("staging"))
    for slot, version in zip(("production", "staging"), found, strict=True):
        assert app.settings(slot)["Hub"] == f"Hub{version}"
        assert app.environment(slot)["Hub"] == f"Hub{version}"
    return found


@pytest.fixture
def started(tmp_path: Path) -> Any:
    with running(tmp_path) as azure:
        app = make_app(azure, client_of(azure), "orders", production="1.0", staging="2.0")
        app.set_settings("production", Hub="Hub1.0")
        app.set_settings("staging", Hub="Hub2.0")
        app.version("production")
        app.version("staging")
        yield app


@pytest.mark.parametrize("end", [LocalAzure.stop, LocalAzure.kill], ids=["stop", "SIGKILL"])
def test_sites_settings_content_and_addresses_are_there_after_a_restart(
    started: App, end: Callable[[LocalAzure], None]
) -> None:
    app = started
    app.client.web_apps.stop_slot(app.group, app.name, "staging")
    host = app.ask("production")["pid"]
    credentials = app.client.web_apps.begin_list_publishing_credentials(app.group, app.name).result()
    old_token = app.bearer()
    end(app.azure)
    eventually(lambda: not psutil.pid_exists(host))
    app.azure.start()
    assert app.version("production") == "1.0"
    assert app.settings("production") == {"Hub": "Hub1.0"}
    assert http.get(app.url("staging")).status_code == 403
    again = app.client.web_apps.begin_list_publishing_credentials(app.group, app.name).result()
    assert again.properties.publishing_password == credentials.properties.publishing_password
    assert http.get(app.scm("production", "/api/deployments"), headers=old_token).json()[0]["status"] == 4


@pytest.mark.parametrize("moment", ["phase 1:", "phase 3:", "swap phase 5:"])
def test_a_swap_that_a_sigkill_interrupts_is_brought_to_its_end(started: App, moment: str) -> None:
    app = started
    token = app.begin_swap().continuation_token()
    wait_for(app.azure, moment)
    app.azure.kill()
    app.azure.start()
    body: Any = {"targetSlot": "production", "preserveVnet": True}
    app.client.web_apps.begin_swap_slot(app.group, app.name, "staging", body, continuation_token=token).result()
    assert consistent(app) == ("2.0", "1.0")
    status = app.client.web_apps.get(app.group, app.name).properties.slot_swap_status
    assert status.source_slot_name == "staging"


def test_a_prepared_preview_is_still_prepared(started: App) -> None:
    app = started
    body: Any = {"targetSlot": "production", "preserveVnet": True}
    app.client.web_apps.apply_slot_configuration_slot(app.group, app.name, "staging", body)
    app.azure.kill()
    app.azure.start()
    assert app.environment("staging")["WEBSITE_SLOT_NAME"] == "Production"
    app.begin_swap().result()
    assert consistent(app) == ("2.0", "1.0")


def test_a_second_deployment_meanwhile_is_a_409_and_one_that_a_sigkill_interrupts_has_failed(tmp_path: Path) -> None:
    with running(tmp_path, options=["--deployment-step-seconds", "3"]) as azure:
        app = make_app(azure, client_of(azure), "orders")
        followed = "isAsync=true&trackDeploymentProgress=true"
        identifier = app.push("staging", package("1.0"), followed).headers["SCM-DEPLOYMENT-ID"]
        second = app.push("staging", package("2.0"), followed)
        assert second.status_code == 409
        assert "currently in progress" in second.text
        with pytest.raises(ResourceExistsError, match="a deployment to the 'staging' slot is running"):
            app.begin_swap()
        assert app.push("production", package("3.0"), followed).status_code == 202  # slots do not wait for each other
        azure.kill()
        azure.start()
        found = http.get(app.scm("staging", f"/api/deployments/{identifier}"), headers=app.bearer())
        assert found.json()["status"] == 3
        assert app.version("staging") == "none"


def test_a_second_local_azure_on_the_same_state_is_refused(started: App) -> None:
    from local_azure.launch import LocalAzureError

    second = LocalAzure(started.azure.state_dir, log=started.azure.state_dir / "second.log")
    with pytest.raises(LocalAzureError, match="expected to be the only local Azure"):
        second.start()
