"""Site configuration (`config/web`): kept and given back; what stays with the slot is said in swap_rules."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.model import Site, Slot
from local_azure.resource_manager.call import Call, answer
from local_azure.resource_manager.router import SITE_OR_SLOT, Router

router = Router()

DEFAULTS: dict[str, Any] = {
    "numberOfWorkers": 1,
    "netFrameworkVersion": "v4.0",
    "linuxFxVersion": "Python|3.11",
    "alwaysOn": False,
    "autoSwapSlotName": None,
    "minTlsVersion": "1.2",
    "ftpsState": "FtpsOnly",
    "use32BitWorkerProcess": False,
    "webSocketsEnabled": False,
}


def _to_arm(site: Site, slot: Slot) -> dict[str, Any]:
    return {
        "id": f"{site.slot_id(slot.name)}/config/web",
        "name": site.name if slot.is_production else f"{site.name}/{slot.name}",
        "type": "Microsoft.Web/sites/config" if slot.is_production else "Microsoft.Web/sites/slots/config",
        "location": site.location,
        "properties": DEFAULTS | slot.site_config,
    }


@router.on("GET", SITE_OR_SLOT + "/config/web")
async def get_configuration(call: Call) -> Response:
    """The configuration, without app settings and connection strings."""
    slot = call.slot()
    return answer(_to_arm(call.site(), slot))


async def _change(call: Call) -> Response:
    slot = call.slot()
    given = {
        name: value for name, value in call.properties().items() if name not in ("appSettings", "connectionStrings")
    }
    changed = call.change_slot(site_config={**slot.site_config, **given})
    if changed.site_config != slot.site_config and changed.running:
        call.runtime().restart_soon("its configuration was changed")
    return answer(_to_arm(call.site(), changed))


@router.on("PATCH", SITE_OR_SLOT + "/config/web")
async def patch_configuration(call: Call) -> Response:
    """Change what the body names."""
    return await _change(call)


@router.on("PUT", SITE_OR_SLOT + "/config/web")
async def put_configuration(call: Call) -> Response:
    """Change what the body names; unlike app settings, the rest is kept."""
    return await _change(call)
