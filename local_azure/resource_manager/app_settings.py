"""App settings of a slot: read whole, replaced whole; a change restarts the host."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.model import Site, Slot
from local_azure.resource_manager.call import Call, answer, string_map
from local_azure.resource_manager.router import SITE_OR_SLOT, Router

router = Router()


def _to_arm(site: Site, slot: Slot) -> dict[str, Any]:
    return {
        "id": f"{site.slot_id(slot.name)}/config/appsettings",
        "name": "appsettings",
        "type": "Microsoft.Web/sites/config" if slot.is_production else "Microsoft.Web/sites/slots/config",
        "location": site.location,
        "properties": slot.app_settings,
    }


@router.on("POST", SITE_OR_SLOT + "/config/appsettings/list")
async def list_settings(call: Call) -> Response:
    """The settings with their values."""
    slot = call.slot()
    return answer(_to_arm(call.site(), slot))


@router.on("PUT", SITE_OR_SLOT + "/config/appsettings")
async def replace_settings(call: Call) -> Response:
    """Replace all: what the body does not name is gone."""
    before = call.slot().app_settings
    settings = string_map(call.properties(), "properties")
    slot = call.change_slot(app_settings=settings)
    if settings != before and slot.running:
        names = sorted(name for name in settings.keys() | before if settings.get(name) != before.get(name))
        call.runtime().restart_soon(f"app settings changed: {', '.join(names)}")
    return answer(_to_arm(call.site(), slot))
