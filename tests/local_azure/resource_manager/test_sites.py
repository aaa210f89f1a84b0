"""Sites and slots through the public SDK."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import Site

from local_azure.launch import LocalAzure
from tests.local_azure.cloud import App, client_of, eventually, http

BODY: Any = {"location": "westeurope", "kind": "functionapp", "properties": {}}


def test_a_site_tells_its_own_address_and_that_of_its_deployment_endpoint(app: App) -> None:
    site = app.client.web_apps.get(app.group, app.name)
    assert isinstance(site, Site)
    assert site.properties.state == "Running"
    assert http.get(f"http://{site.properties.default_host_name}/").json()["version"] == "1.0"
    kinds = {state.host_type: state.name for state in site.properties.host_name_ssl_states}
    assert kinds == {"Standard": app.hosts["production"], "Repository": app.scm_hosts["production"]}


def test_the_production_slot_is_not_in_the_list_of_slots(app: App) -> None:
    slots = list(app.client.web_apps.list_slots(app.group, app.name))
    assert [slot.name for slot in slots] == [f"{app.name}/staging"]
    assert slots[0].properties.default_host_name == app.hosts["staging"]


def test_sites_are_listed_with_their_slots_on_request(app: App) -> None:
    with_slots = {site.name for site in app.client.web_apps.list_by_resource_group(app.group, include_slots=True)}
    without = {site.name for site in app.client.web_apps.list_by_resource_group(app.group)}
    everywhere = {site.name for site in app.client.web_apps.list()}
    assert {app.name, f"{app.name}/staging"} <= with_slots
    assert f"{app.name}/staging" not in without
    assert app.name in without & everywhere


def test_a_site_that_does_not_exist_is_a_404_in_arm_s_shape(azure: LocalAzure, client: WebSiteManagementClient) -> None:
    with pytest.raises(ResourceNotFoundError) as caught:
        client.web_apps.get(azure.resource_group, "nowhere")
    assert caught.value.error.code == "ResourceNotFound"
    with pytest.raises(ResourceNotFoundError) as caught:
        client.web_apps.get("no-group", "nowhere")
    assert caught.value.error.code == "ResourceGroupNotFound"


def test_a_name_that_is_taken_elsewhere_is_a_409(app: App) -> None:
    groups = f"{app.azure.url}/subscriptions/{app.azure.subscription_id}/resourceGroups/other?api-version=2022-09-01"
    http.put(groups, json={"location": "westeurope"}, headers=app.bearer()).raise_for_status()
    with pytest.raises(ResourceExistsError) as caught:
        app.client.web_apps.begin_create_or_update("other", app.name, BODY)
    assert caught.value.response is not None
    assert caught.value.response.json()["Code"] == "Conflict"
    assert "already exists" in caught.value.response.json()["Message"]


@pytest.mark.parametrize(
    ("sku", "tier", "slots"),
    [("Y1", "Dynamic", 2), ("EP1", "ElasticPremium", 3), ("S1", "Standard", 5), ("FC1", "FlexConsumption", 1)],
)
def test_the_plan_limits_the_number_of_slots(
    azure: LocalAzure, client: WebSiteManagementClient, sku: str, tier: str, slots: int
) -> None:
    group, name = azure.resource_group, f"limit-{sku.lower()}"
    plan_body: Any = {"location": azure.location, "sku": {"name": sku}}
    plan = client.app_service_plans.begin_create_or_update(group, f"plan-{sku}", plan_body).result()
    assert plan.sku is not None
    assert plan.sku.tier == tier
    body = BODY | {"properties": {"serverFarmId": plan.id}}
    client.web_apps.begin_create_or_update(group, name, body).result()
    for number in range(1, slots):
        client.web_apps.begin_create_or_update_slot(group, name, f"s{number}", BODY).result()
    with pytest.raises(ResourceExistsError) as caught:
        client.web_apps.begin_create_or_update_slot(group, name, "one-more", BODY)
    assert caught.value.response is not None
    error = caught.value.response.json()
    assert f"exceed the number of slots allowed for the '{tier}' SKU" in error["Message"]
    assert error["Details"][2]["ErrorEntity"]["Parameters"] == [tier]
    client.web_apps.delete(group, name)
    with pytest.raises(ResourceNotFoundError):  # the last app took its plan with it
        client.app_service_plans.get(group, f"plan-{sku}")


def test_a_deleted_slot_is_gone_with_its_ports_and_the_site_stays(new_app: Callable[..., App]) -> None:
    app = new_app()
    app.client.web_apps.delete_slot(app.group, app.name, "staging")
    with pytest.raises(ResourceNotFoundError):
        app.client.web_apps.get_slot(app.group, app.name, "staging")
    with pytest.raises(httpx.ConnectError):
        http.get(app.url("staging"))
    assert app.version("production") == "none"


def test_a_stopped_slot_answers_403_until_it_is_started(new_app: Callable[..., App]) -> None:
    app = new_app(staging="2.0")
    app.client.web_apps.stop_slot(app.group, app.name, "staging")
    stopped = http.get(app.url("staging"))
    assert stopped.status_code == 403
    assert "stopped" in stopped.text
    assert app.client.web_apps.get_slot(app.group, app.name, "staging").properties.state == "Stopped"
    app.client.web_apps.start_slot(app.group, app.name, "staging")
    assert app.version("staging") == "2.0"
    app.client.web_apps.stop(app.group, app.name)
    assert http.get(app.url("production")).status_code == 403
    app.client.web_apps.start(app.group, app.name)
    assert app.version("production") == "none"


def test_a_restart_brings_a_new_process(app: App) -> None:
    before = app.ask("staging")["pid"]
    app.client.web_apps.restart_slot(app.group, app.name, "staging", synchronous=True)
    assert app.ask("staging")["pid"] != before
    before = app.ask("production")["pid"]
    app.client.web_apps.restart(app.group, app.name)
    assert app.ask("production")["pid"] != before


def test_a_host_that_dies_is_started_again_and_requests_wait_for_it(app: App) -> None:
    before = app.ask("production")["pid"]
    os.kill(before, signal.SIGKILL)
    # A connection that the dying process still takes is cut off, and rightly answered 502: nobody knows what it did.
    while psutil.pid_exists(before):
        time.sleep(0.01)
    assert app.ask("production")["pid"] != before


def test_without_a_token_or_with_a_wrong_one_the_answer_is_401(azure: LocalAzure) -> None:
    url = f"{azure.url}/subscriptions/{azure.subscription_id}/providers/Microsoft.Web/sites?api-version=2025-05-01"
    missing = http.get(url)
    assert missing.status_code == 401
    assert missing.json()["error"]["code"] == "AuthenticationFailed"
    assert missing.headers["WWW-Authenticate"].startswith("Bearer ")
    wrong = http.get(url, headers={"Authorization": "Bearer a.b.c"})
    assert wrong.status_code == 401
    assert wrong.json()["error"]["code"] == "InvalidAuthenticationToken"


def test_a_wrong_secret_gets_no_token(azure: LocalAzure) -> None:
    form = {"grant_type": "client_credentials", "client_id": azure.client_id, "client_secret": "wrong"}
    refused = http.post(f"{azure.url}/{azure.tenant_id}/oauth2/v2.0/token", data=form)
    assert refused.status_code == 401
    assert refused.json()["error"] == "invalid_client"


def test_the_configuration_keeps_what_it_is_given(new_app: Callable[..., App]) -> None:
    app = new_app()
    change: Any = {"properties": {"autoSwapSlotName": "production"}}
    app.client.web_apps.update_configuration_slot(app.group, app.name, "staging", change)
    found = app.client.web_apps.get_configuration_slot(app.group, app.name, "staging")
    assert found.properties.auto_swap_slot_name == "production"
    site = app.client.web_apps.get_slot(app.group, app.name, "staging")
    assert site.properties.site_config.auto_swap_slot_name == "production"


def test_a_request_without_an_api_version_is_refused(azure: LocalAzure, app: App) -> None:
    url = f"{azure.url}/subscriptions/{azure.subscription_id}/providers/Microsoft.Web/sites"
    refused = http.get(url, headers=app.bearer())
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "MissingApiVersionParameter")


def test_publishing_credentials_open_the_deployment_endpoint_of_their_slot_only(app: App) -> None:
    found = app.client.web_apps.begin_list_publishing_credentials_slot(app.group, app.name, "staging").result()
    login = (found.properties.publishing_user_name, found.properties.publishing_password)
    assert found.properties.publishing_user_name == f"${app.name}__staging"
    assert http.get(app.scm("staging", "/api/deployments"), auth=login).status_code == 200
    assert http.get(app.scm("production", "/api/deployments"), auth=login).status_code == 401
    assert app.client.web_apps.get_scm_allowed_slot(app.group, app.name, "staging").properties.allow is True


def test_an_sdk_call_without_rights_is_told_so_at_once(azure: LocalAzure) -> None:
    stranger = LocalAzure(azure.state_dir)
    stranger._url, stranger.client_secret = azure.url, "wrong"
    with client_of(stranger) as client, pytest.raises(httpx.HTTPStatusError):
        client.web_apps.get(azure.resource_group, "any")


def test_a_host_that_cannot_start_answers_503(new_app: Callable[..., App]) -> None:
    from tests.local_azure.cloud import package

    app = new_app()
    app.push("staging", package("3.0", exit="no such module"))
    eventually(lambda: http.get(app.url("staging"), timeout=20).status_code == 503)
    with pytest.raises(HttpResponseError) as caught:
        list(app.client.web_apps.list_instance_functions_slot(app.group, app.name, "staging"))
    assert caught.value.status_code == 503
    assert "no such module" in str(caught.value)
    assert app.push("staging", package("3.1")).status_code == 200
    assert app.version("staging") == "3.1"
