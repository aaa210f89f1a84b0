"""What a swap of two slots would change (`slotsdiffs`)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.errors import bad_request, site_not_found
from local_azure.model import Slot
from local_azure.resource_manager.call import Call, answer
from local_azure.resource_manager.router import SITE_OR_SLOT, Router

router = Router()


def _difference(kind: str, name: str, current: str | None, target: str | None, *, sticky: bool) -> dict[str, Any]:
    moving = "stays with its slot" if sticky else "moves with the code"
    return {
        "properties": {
            "level": "Information",
            "settingType": kind,
            "diffRule": "SlotSettingsNotSwapped" if sticky else "SettingsWillBeModifiedInDestination",
            "settingName": name,
            "valueInCurrentSlot": current,
            "valueInTargetSlot": target,
            "description": f"The {kind} '{name}' {moving}.",
        }
    }


def _values(slot: Slot, kind: str) -> dict[str, str]:
    if kind == "AppSetting":
        return slot.app_settings
    return {name: one.value for name, one in slot.connection_strings.items()}


@router.on("POST", SITE_OR_SLOT + "/slotsdiffs")
async def list_differences(call: Call) -> Response:
    """App settings and connection strings that differ between the slot in the path and the target."""
    current = call.slot()
    site = call.site()
    body = call.json if isinstance(call.json, dict) else {}
    if not body.get("targetSlot"):
        raise bad_request("The parameter targetSlot is required.")
    name = str(body["targetSlot"]).lower()
    target = site.slots.get(name)
    if target is None:
        raise site_not_found(site.name, site.resource_group, slot=name)
    found: list[dict[str, Any]] = []
    sticky_names = {"AppSetting": site.sticky.app_settings, "ConnectionString": site.sticky.connection_strings}
    for kind, names in sticky_names.items():
        sticky = {one.lower() for one in names or []}
        here, there = _values(current, kind), _values(target, kind)
        for one in sorted(here.keys() | there.keys()):
            if here.get(one) != there.get(one):
                found.append(_difference(kind, one, here.get(one), there.get(one), sticky=one.lower() in sticky))
    return answer({"value": found, "nextLink": None})
