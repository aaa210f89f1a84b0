"""Which hub a wait watches while people change slots under it: the right one, or UNKNOWN, never another."""

from __future__ import annotations

import json
from datetime import timedelta

import httpx
import pytest

from demo.cloud import HUB_OF, STAGING
from tests.support.scripted_drain import Clock
from zdd import settings
from zdd.core.drain import DrainState
from zdd.core.gate import Watch
from zdd.hooks.azure import AzureHook
from zdd.hooks.slot_drain import SlotDrain
from zdd.hooks.slot_reader import slot_name

pytestmark = pytest.mark.timeout(180)
OVERRIDE = "AzureFunctionsJobHost__extensions__durableTask__hubName"


def drain_of(stack, slot: str | None, clock: Clock | None = None, **options) -> SlotDrain:
    name = slot_name(stack.azure.resource_group, stack.cloud.app, slot)
    return SlotDrain(AzureHook("azure_default"), name, clock=clock or Clock(), **options)


@pytest.fixture
def change_staging(stack):
    """Change settings of staging by the SDK for the length of a test; None takes one away."""
    apps, group, app = stack.cloud.client.web_apps, stack.azure.resource_group, stack.cloud.app
    before = dict(apps.list_application_settings_slot(group, app, STAGING).properties)

    def put(wanted):
        apps.update_application_settings_slot(group, app, STAGING, {"properties": wanted})

    yield lambda changes: put({k: v for k, v in (before | changes).items() if v is not None})
    put(before)


async def test_a_slot_is_watched_by_the_hub_that_its_settings_name(stack):
    async with drain_of(stack, None) as production, drain_of(stack, STAGING) as staging:
        seen = [await production.prove(Watch()), await staging.prove(Watch())]
    assert [one.binding.split()[0] for one in seen] == ["hub=ordersgreen", "hub=ordersblue"]
    assert [one.zero for one in seen] == [True, True], [one.reason for one in seen]


async def test_a_host_json_override_by_app_setting_moves_the_watch_to_that_hub(stack, change_staging):
    change_staging({OVERRIDE: "OverriddenHub"})
    async with drain_of(stack, STAGING) as drain:
        seen = await drain.prove(Watch())
    assert seen.binding.startswith("hub=overriddenhub ")


async def test_storage_by_identity_that_cannot_be_reached_is_unknown_and_never_zero(stack, change_staging):
    change_staging({"DurableManagementStorage": None, "DurableManagementStorage__accountName": "nosuchaccountatall"})
    async with drain_of(stack, STAGING) as drain:
        seen = await drain.prove(Watch())
    assert (seen.state, seen.zero) == (DrainState.UNKNOWN, False)
    assert "nosuchaccountatall" in seen.binding


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DurableManagementStorage", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"),
        ("DurableManagementStorage", None),
        ("OrdersTaskHub", None),
    ],
)
async def test_a_setting_that_cannot_be_resolved_is_unknown(stack, change_staging, name, value):
    change_staging({name: value})
    async with drain_of(stack, STAGING) as drain:
        seen = await drain.prove(Watch())
    assert (seen.state, seen.zero) == (DrainState.UNKNOWN, False)


async def test_a_wrong_storage_key_is_unknown_and_is_not_shown(stack, change_staging):
    wrong = stack.storage.replace("AccountKey=", "AccountKey=ZmFsc2UK")
    change_staging({"DurableManagementStorage": wrong})
    async with drain_of(stack, STAGING) as drain:
        seen = await drain.prove(Watch())
    assert (seen.state, seen.zero) == (DrainState.UNKNOWN, False)
    assert "ZmFsc2UK" not in f"{seen}"


async def test_a_swap_by_hand_during_the_wait_is_noticed_within_ten_minutes_and_begins_the_count_again(stack):
    clock = Clock()
    async with drain_of(stack, None, clock) as drain:
        first = await drain.poll(Watch())
        assert first.watch.settling.zeros == 1
        stack.cloud.swap()
        clock.now += settings.BINDING_MAX_AGE + timedelta(seconds=1)
        second = await drain.poll(first.watch)
    assert [seen.binding.split()[0] for seen in (first, second)] == ["hub=ordersgreen", "hub=ordersblue"]
    assert second.watch.settling.zeros == 1


async def test_a_swap_by_hand_right_before_the_act_is_seen_by_the_proof_that_reads_the_binding_again(stack):
    async with drain_of(stack, None) as drain:
        waited = await drain.poll(Watch())
        stack.cloud.swap()
        seen = await drain.prove(waited.watch)
    # The second swap by hand: back to where it was.
    assert [one.binding.split()[0] for one in (waited, seen)] == ["hub=ordersblue", "hub=ordersgreen"]
    assert seen.watch.settling.zeros <= 1
    assert stack.cloud.hub(None) == HUB_OF[None]


async def test_the_http_api_as_source_says_what_it_cannot_see(stack):
    async with drain_of(stack, STAGING, status_source="http_api") as drain:
        seen = await drain.prove(Watch())
    assert seen.zero, seen.reason
    assert seen.evidence["source"] == "http_api"
    assert seen.evidence["cannot_see"]


async def test_the_apps_own_status_check_as_source_says_what_it_cannot_see(stack):
    async with drain_of(stack, STAGING, status_source="status_check") as drain:
        seen = await drain.prove(Watch())
    assert seen.zero, seen.reason
    assert seen.evidence["source"] == "status_check"
    assert seen.evidence["cannot_see"]


async def test_a_slot_in_which_nothing_is_deployed_is_empty_and_may_be_deployed_to(stack):
    apps, group = stack.cloud.client.web_apps, stack.azure.resource_group
    production = apps.get(group, stack.cloud.app)
    site = stack.cloud._site(production.server_farm_id, "EmptyHub")
    apps.begin_create_or_update(group, "empty", site).result()
    name = slot_name(group, "empty", None)
    async with SlotDrain(AzureHook("azure_default"), name) as drain:
        seen = await drain.prove(Watch())
    assert (seen.state, seen.zero) == (DrainState.NEVER_STARTED, True), seen.reason
    assert "empty" in seen.reason
    apps.delete(group, "empty")


def test_the_connection_test_says_that_it_works(stack):
    ok, message = AzureHook("azure_default").test_connection()
    assert ok, message
    assert "1 app" in message


def test_the_connection_test_names_a_wrong_secret(stack, monkeypatch):
    fields = dict(stack._connections()["azure_default"]) | {"password": "not-the-secret"}
    monkeypatch.setenv("AIRFLOW_CONN_ZDD_WRONG", json.dumps(fields))
    ok, message = AzureHook("zdd_wrong").test_connection()
    assert not ok
    assert "secret" in message
    assert "not-the-secret" not in message


def test_the_app_itself_was_not_disturbed(stack):
    assert httpx.get(f"{stack.cloud.address(None)}/api/edition", timeout=30).is_success
