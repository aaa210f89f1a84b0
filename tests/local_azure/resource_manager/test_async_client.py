"""The asynchronous SDK drives the same calls."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from local_azure.launch import LocalAzure
from tests.local_azure.cloud import SWAP_BODY, async_client_of, package

BODY: Any = {"location": "westeurope", "kind": "functionapp", "properties": {}}
Json = Any


async def test_the_life_of_an_app_through_the_asynchronous_sdk(azure: LocalAzure) -> None:
    import httpx

    from tests.local_azure.cloud import token_of

    group, name = azure.resource_group, "async-app"
    async with async_client_of(azure) as client:
        web_apps = client.web_apps
        await (await web_apps.begin_create_or_update(group, name, BODY)).result()
        slot = await (await web_apps.begin_create_or_update_slot(group, name, "staging", BODY)).result()
        assert [one.name async for one in web_apps.list_slots(group, name)] == [f"{name}/staging"]
        settings: Json = {"properties": {"Hub": "Green", "Sticky": "s"}}
        await web_apps.update_application_settings_slot(group, name, "staging", settings)
        names: Json = {"properties": {"appSettingNames": ["Sticky"]}}
        await web_apps.update_slot_configuration_names(group, name, names)
        strings: Json = {"properties": {"C": {"value": "x", "type": "Custom"}}}
        await web_apps.update_connection_strings_slot(group, name, "staging", strings)
        scm = next(one.name for one in slot.properties.host_name_ssl_states if one.host_type == "Repository")
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token_of(azure).token}"}) as http:
            pushed = await http.post(f"http://{scm}/api/zipdeploy", content=package("2.0"))
        assert pushed.status_code == 200
        functions = [one.name async for one in web_apps.list_instance_functions_slot(group, name, "staging")]
        assert functions == [f"{name}/staging/Function_2_0"]

        poller = await web_apps.begin_swap_slot(group, name, "staging", SWAP_BODY)
        with pytest.raises(ResourceExistsError):
            await web_apps.begin_swap_slot(group, name, "staging", SWAP_BODY)
        resumed = await web_apps.begin_swap_slot(
            group, name, "staging", SWAP_BODY, continuation_token=poller.continuation_token()
        )
        await resumed.result()
        assert (await web_apps.list_application_settings(group, name)).properties == {"Hub": "Green"}
        assert (await web_apps.list_application_settings_slot(group, name, "staging")).properties == {"Sticky": "s"}
        assert "C" in ((await web_apps.list_connection_strings(group, name)).properties or {})
        assert [one.name async for one in web_apps.list_functions(group, name)] == [f"{name}/Function_2_0"]

        assert (await web_apps.list_host_keys(group, name)).master_key == "m-Production"
        await web_apps.restart_slot(group, name, "staging")
        await web_apps.stop(group, name)
        assert (await web_apps.get(group, name)).properties.state == "Stopped"
        await web_apps.start(group, name)
        credentials = await (await web_apps.begin_list_publishing_credentials(group, name)).result()
        assert credentials.properties.publishing_user_name == f"${name}"
        deployments = [one async for one in web_apps.list_deployments(group, name)]
        assert [one.properties.status for one in deployments] == [4]
        status = await web_apps.begin_get_production_site_deployment_status(
            group, name, deployments[0].name.rpartition("/")[2]
        )
        assert (await status.result()).properties.deployment_id
        await web_apps.delete_slot(group, name, "staging")
        await web_apps.delete(group, name, delete_empty_server_farm=False)
        with pytest.raises(ResourceNotFoundError):
            await web_apps.get(group, name)
