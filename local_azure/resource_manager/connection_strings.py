"""Connection strings of a slot: read whole, replaced whole; a change restarts the host."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.errors import bad_request
from local_azure.model import ConnectionString, Site, Slot
from local_azure.resource_manager.call import Call, answer
from local_azure.resource_manager.router import SITE_OR_SLOT, Router

router = Router()


def _to_arm(site: Site, slot: Slot) -> dict[str, Any]:
    return {
        "id": f"{site.slot_id(slot.name)}/config/connectionstrings",
        "name": "connectionstrings",
        "type": "Microsoft.Web/sites/config" if slot.is_production else "Microsoft.Web/sites/slots/config",
        "location": site.location,
        "properties": {name: one.model_dump() for name, one in slot.connection_strings.items()},
    }


@router.on("POST", SITE_OR_SLOT + "/config/connectionstrings/list")
async def list_connection_strings(call: Call) -> Response:
    """The connection strings with their values."""
    slot = call.slot()
    return answer(_to_arm(call.site(), slot))


@router.on("PUT", SITE_OR_SLOT + "/config/connectionstrings")
async def replace_connection_strings(call: Call) -> Response:
    """Replace all."""
    before = call.slot().connection_strings
    strings: dict[str, ConnectionString] = {}
    for name, one in call.properties().items():
        if not isinstance(one, dict) or "value" not in one:
            raise bad_request(f"The connection string {name} has an invalid value: expected value and type.")
        strings[name] = ConnectionString(value=str(one["value"]), type=str(one.get("type") or "Custom"))
    slot = call.change_slot(connection_strings=strings)
    if strings != before and slot.running:
        call.runtime().restart_soon("connection strings changed")
    return answer(_to_arm(call.site(), slot))
