"""Swap of slots through the public SDK: what moves, how it is polled, how it fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.web.models import CsmSlotEntity, SlotConfigNames, SlotConfigNamesResource

from tests.local_azure.cloud import SWAP_BODY, App, client_of, http, package


def stick(app: App, *names: str) -> None:
    sticky = SlotConfigNamesResource(properties=SlotConfigNames(app_setting_names=list(names)))
    app.client.web_apps.update_slot_configuration_names(app.group, app.name, sticky)


def test_code_and_settings_change_places_and_sticky_settings_stay(app: App) -> None:
    stick(app, "Sticky", "OnlyInStaging")
    app.set_settings("production", Hub="Blue", Sticky="p", FUNCTIONS_EXTENSION_VERSION="~4")
    app.set_settings("staging", Hub="Green", Sticky="s", OnlyInStaging="x", FUNCTIONS_EXTENSION_VERSION="~4", New="n")
    app.begin_swap().result()
    assert (app.version("production"), app.version("staging")) == ("2.0", "1.0")
    assert app.settings("production") == {
        "Hub": "Green", "Sticky": "p", "New": "n", "FUNCTIONS_EXTENSION_VERSION": "~4",
    }  # fmt: skip
    assert app.settings("staging") == {
        "Hub": "Blue", "Sticky": "s", "OnlyInStaging": "x", "FUNCTIONS_EXTENSION_VERSION": "~4",
    }  # fmt: skip
    production, staging = app.environment("production"), app.environment("staging")
    assert (production["Hub"], production["Sticky"]) == ("Green", "p")
    assert (staging["Hub"], staging["Sticky"]) == ("Blue", "s")
    assert "OnlyInStaging" not in production
    assert (production["WEBSITE_SLOT_NAME"], staging["WEBSITE_SLOT_NAME"]) == ("Production", "staging")
    assert production["WEBSITE_HOSTNAME"] == app.hosts["production"]


def test_both_slots_tell_of_the_last_swap(app: App) -> None:
    app.begin_swap().result()
    for site in (
        app.client.web_apps.get(app.group, app.name),
        app.client.web_apps.get_slot(app.group, app.name, "staging"),
    ):
        status = site.properties.slot_swap_status
        assert (status.source_slot_name, status.destination_slot_name) == ("staging", "Production")
        assert status.timestamp_utc is not None


def test_a_second_swap_swaps_back(app: App) -> None:
    app.begin_swap().result()
    app.begin_swap().result()
    assert (app.version("production"), app.version("staging")) == ("1.0", "2.0")


def test_production_may_be_the_source(app: App) -> None:
    body = CsmSlotEntity(target_slot="staging", preserve_vnet=True)
    app.client.web_apps.begin_swap_slot_with_production(app.group, app.name, body).result()
    assert (app.version("production"), app.version("staging")) == ("2.0", "1.0")
    status = app.client.web_apps.get(app.group, app.name).properties.slot_swap_status
    assert (status.source_slot_name, status.destination_slot_name) == ("Production", "staging")


def test_a_poller_is_resumed_from_its_token_without_a_second_swap(app: App) -> None:
    token = app.begin_swap().continuation_token()
    with client_of(app.azure) as other_process:
        resumed = other_process.web_apps.begin_swap_slot(
            app.group, app.name, "staging", SWAP_BODY, continuation_token=token
        )
        resumed.result()
        assert resumed.status() == "Succeeded"
        assert (app.version("production"), app.version("staging")) == ("2.0", "1.0")
        first = app.client.web_apps.get(app.group, app.name).properties.slot_swap_status.timestamp_utc
        other_process.web_apps.begin_swap_slot(
            app.group, app.name, "staging", SWAP_BODY, continuation_token=token
        ).result()
    assert app.client.web_apps.get(app.group, app.name).properties.slot_swap_status.timestamp_utc == first


def test_the_first_answer_is_202_with_where_and_when_to_ask(app: App) -> None:
    url = (
        f"{app.azure.url}/subscriptions/{app.azure.subscription_id}/resourceGroups/{app.group}"
        f"/providers/Microsoft.Web/sites/{app.name}/slots/staging/slotsswap?api-version=2025-05-01"
    )
    accepted = http.post(url, json=SWAP_BODY, headers=app.bearer())
    assert accepted.status_code == 202
    assert int(accepted.headers["Retry-After"]) >= 1
    location = accepted.headers["Location"]
    seen = set()
    while (answer := http.get(location, headers=app.bearer())).status_code == 202:
        seen.add(answer.headers["Location"])
        time.sleep(0.1)
    assert answer.status_code == 200
    assert seen == {location}


def test_while_a_swap_runs_every_change_is_a_409(app: App) -> None:
    poller = app.begin_swap()
    changes: list[Callable[[], Any]] = [
        lambda: app.client.web_apps.begin_swap_slot(app.group, app.name, "staging", SWAP_BODY),
        lambda: app.set_settings("production", A="1"),
        lambda: app.client.web_apps.restart(app.group, app.name),
        lambda: app.client.web_apps.delete_slot(app.group, app.name, "staging"),
    ]
    for change in changes:
        with pytest.raises(ResourceExistsError) as caught:
            change()
        assert caught.value.response is not None
        error = caught.value.response.json()
        assert error["Code"] == "Conflict"
        assert "another operation is in progress" in error["Message"]
        assert error["Details"][2]["ErrorEntity"]["ExtendedCode"] == "59203"
    assert app.push("staging", package("3.0")).status_code == 409
    poller.result()
    app.set_settings("production", A="1")


def test_a_slot_that_is_stopped_is_not_swapped(app: App) -> None:
    app.client.web_apps.stop_slot(app.group, app.name, "staging")
    with pytest.raises(ResourceExistsError):
        app.begin_swap()
    assert app.version("production") == "1.0"


def test_a_source_that_cannot_start_fails_the_swap_and_nothing_moves(app: App) -> None:
    app.push("staging", package("3.0", exit="wrong import"))
    with pytest.raises(HttpResponseError) as caught:
        app.begin_swap().result()
    assert caught.value.status_code == 417
    assert app.version("production") == "1.0"
    assert app.client.web_apps.get(app.group, app.name).properties.slot_swap_status is None


def test_a_warm_up_without_an_accepted_status_fails_the_swap_and_the_source_gets_its_settings_back(
    new_app: Callable[..., App],
) -> None:
    app = new_app(production="1.0")
    app.push("staging", package("2.0", ping__status="503"))
    stick(app, "Sticky")
    ping = {"WEBSITE_SWAP_WARMUP_PING_PATH": "/warm", "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200,202"}
    app.set_settings("staging", Sticky="s", **ping)
    app.set_settings("production", Sticky="p")
    with pytest.raises(HttpResponseError) as caught:
        app.begin_swap().result()
    assert "did not respond to http ping" in str(caught.value)
    assert (app.version("production"), app.version("staging")) == ("1.0", "2.0")
    assert app.environment("staging")["Sticky"] == "s"
    app.set_settings("staging", WEBSITE_SWAP_WARMUP_PING_PATH="/warm")  # without statuses any answer is warm
    app.begin_swap().result()
    assert app.version("production") == "2.0"


def test_a_preview_dresses_the_source_and_holds_the_site_until_it_is_completed(app: App) -> None:
    stick(app, "Sticky")
    app.set_settings("production", Sticky="p")
    app.set_settings("staging", Sticky="s")
    body = CsmSlotEntity(target_slot="production", preserve_vnet=True)
    app.client.web_apps.apply_slot_configuration_slot(app.group, app.name, "staging", body)
    assert app.environment("staging")["Sticky"] == "p"
    assert app.version("production") == "1.0"
    assert app.client.web_apps.get_slot(app.group, app.name, "staging").properties.target_swap_slot == "production"
    with pytest.raises(ResourceExistsError) as caught:
        app.set_settings("staging", Sticky="x")
    assert "prepared for swap" in str(caught.value)
    prepared = app.ask("staging")["pid"]
    app.begin_swap().result()
    assert app.ask("production")["pid"] == prepared
    assert app.version("staging") == "1.0"


def test_a_preview_can_be_cancelled(app: App) -> None:
    stick(app, "Sticky")
    app.set_settings("production", Sticky="p")
    app.set_settings("staging", Sticky="s")
    body = CsmSlotEntity(target_slot="production", preserve_vnet=True)
    app.client.web_apps.apply_slot_configuration_slot(app.group, app.name, "staging", body)
    app.client.web_apps.reset_slot_configuration_slot(app.group, app.name, "staging")
    assert app.environment("staging")["Sticky"] == "s"
    assert (app.version("production"), app.version("staging")) == ("1.0", "2.0")
    app.set_settings("staging", Sticky="again")


def test_differences_name_what_moves_and_what_stays(app: App) -> None:
    stick(app, "Sticky")
    app.set_settings("production", Sticky="p", Same="1", Hub="Blue")
    app.set_settings("staging", Sticky="s", Same="1", Hub="Green")
    body = CsmSlotEntity(target_slot="production", preserve_vnet=True)
    found = app.client.web_apps.list_slot_differences_slot(app.group, app.name, "staging", body)
    rules = {one.properties.setting_name: one.properties.diff_rule for one in found}
    assert rules == {"Hub": "SettingsWillBeModifiedInDestination", "Sticky": "SlotSettingsNotSwapped"}


def test_auto_swap_swaps_after_a_deployment(new_app: Callable[..., App]) -> None:
    from tests.local_azure.cloud import eventually

    app = new_app(production="1.0")
    change: Any = {"properties": {"autoSwapSlotName": "production"}}
    app.client.web_apps.update_configuration_slot(app.group, app.name, "staging", change)
    app.push("staging", package("2.0"))
    eventually(lambda: app.version("production") == "2.0")
    eventually(lambda: "swap of staging with production succeeded" in app.azure.log.read_text().split(app.name)[-1])
