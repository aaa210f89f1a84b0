"""The names of settings that stay with their slot; one list for the whole site."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.errors import bad_request
from local_azure.model import Site, StickyNames
from local_azure.resource_manager.call import Call, answer
from local_azure.resource_manager.router import SITE, Router

router = Router()

FIELDS = {
    "appSettingNames": "app_settings",
    "connectionStringNames": "connection_strings",
    "azureStorageConfigNames": "azure_storage",
}


def _to_arm(site: Site) -> dict[str, Any]:
    return {
        "id": f"{site.id}/config/slotConfigNames",
        "name": "slotConfigNames",
        "type": "Microsoft.Web/sites/config",
        "location": site.location,
        "properties": {name: getattr(site.sticky, field) for name, field in FIELDS.items()},
    }


@router.on("GET", SITE + "/config/slotConfigNames")
async def get_names(call: Call) -> Response:
    """The names; null for a list that was never set."""
    return answer(_to_arm(call.site()))


@router.on("PUT", SITE + "/config/slotConfigNames")
async def put_names(call: Call) -> Response:
    """Replace all three lists: one that the body does not name is gone."""
    properties = call.properties()
    site = call.free_site()
    lists = {field: properties[name] for name, field in FIELDS.items() if name in properties}
    for name, value in lists.items():
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            raise bad_request(f"The parameter {name} has an invalid value: expected a list of names.")
    site = call.cloud.state.save(site.changed(sticky=StickyNames(**lists)))
    return answer(_to_arm(site))
