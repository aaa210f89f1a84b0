"""Functions, keys, status and deployed files of a slot, and what its front door passes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from tests.local_azure.cloud import App, http


def arm_url(app: App, path: str, slot: str = "") -> str:
    place = f"/slots/{slot}" if slot else ""
    return (
        f"{app.azure.url}/subscriptions/{app.azure.subscription_id}/resourcegroups/{app.group}"
        f"/providers/microsoft.web/sites/{app.name}{place}{path}?api-version=2025-05-01"
    )


def test_functions_are_listed_as_the_host_has_indexed_them(app: App) -> None:
    production = list(app.client.web_apps.list_functions(app.group, app.name))
    assert [one.name for one in production] == [f"{app.name}/Function_1_0"]
    staging = list(app.client.web_apps.list_instance_functions_slot(app.group, app.name, "staging"))
    assert [one.name for one in staging] == [f"{app.name}/staging/Function_2_0"]
    one = app.client.web_apps.get_function(app.group, app.name, "Function_1_0")
    assert one.properties.config == {"bindings": []}
    app.client.web_apps.sync_function_triggers(app.group, app.name)
    app.client.web_apps.sync_functions_slot(app.group, app.name, "staging")


def test_host_keys_are_those_of_the_slot(app: App) -> None:
    production = app.client.web_apps.list_host_keys(app.group, app.name)
    staging = app.client.web_apps.list_host_keys_slot(app.group, app.name, "staging")
    assert (production.master_key, staging.master_key) == ("m-Production", "m-staging")
    assert production.function_keys == {"default": "f"}


def test_the_host_s_status_and_deployed_host_json_are_read_through_the_resource_manager(app: App) -> None:
    status = http.get(arm_url(app, "/hostruntime/admin/host/status", "staging"), headers=app.bearer())
    assert status.json() == {"state": "Running", "version": "2.0"}
    for path in ("/hostruntime/admin/vfs/site/wwwroot/host.json", "/hostruntime/admin/vfs/home/site/wwwroot/host.json"):
        found = http.get(arm_url(app, path), headers=app.bearer())
        assert json.loads(found.content)["made"] == "1.0"
    missing = http.get(arm_url(app, "/hostruntime/admin/vfs/site/wwwroot/none.json"), headers=app.bearer())
    assert missing.status_code == 404


def test_a_stopped_slot_has_no_host_to_ask(app: App) -> None:
    app.client.web_apps.stop_slot(app.group, app.name, "staging")
    assert list(app.client.web_apps.list_instance_functions_slot(app.group, app.name, "staging")) == []
    with pytest.raises(HttpResponseError) as caught:
        app.client.web_apps.list_host_keys_slot(app.group, app.name, "staging")
    assert caught.value.status_code == 403


def test_the_front_door_says_whom_the_client_asked_and_lets_nobody_pretend_to_be_us(app: App) -> None:
    headers = {"X-Forwarded-Host": "evil.example", "x-local-azure-internal": "guess", "x-mine": "kept"}
    answer = http.get(app.url("staging", "/a%2Fb/?q=%20x&q=2"), headers=headers).json()
    assert answer["headers"]["x-forwarded-host"] == app.hosts["staging"]
    assert answer["headers"]["x-forwarded-proto"] == "http"
    assert "x-local-azure-internal" not in answer["headers"]
    assert answer["headers"]["x-mine"] == "kept"
    assert answer["path"] == "/a%2Fb/?q=%20x&q=2"


def test_bodies_go_through_whole_with_and_without_a_length(app: App) -> None:
    body = b"x" * 3_000_000

    def parts() -> Any:
        for start in range(0, len(body), 70_000):
            yield body[start : start + 70_000]

    assert http.post(app.url("production"), content=body).json()["size"] == len(body)
    assert http.post(app.url("production"), content=parts()).json()["size"] == len(body)
    assert http.put(app.url("production"), content=b"").json()["size"] == 0
