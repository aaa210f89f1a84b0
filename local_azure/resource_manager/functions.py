"""The functions of a slot, as its host has indexed them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.errors import arm_error
from local_azure.model import Site, Slot
from local_azure.resource_manager.call import Call, answer, empty
from local_azure.resource_manager.host_runtime import ask_host
from local_azure.resource_manager.router import SITE_OR_SLOT, Router
from local_azure.supervisor import json_or_none

router = Router()


def _to_arm(call: Call, site: Site, slot: Slot, function: dict[str, Any]) -> dict[str, Any]:
    name = str(function.get("name", ""))
    base = f"http://{call.cloud.hostname(slot)}"
    kind = "Microsoft.Web/sites/functions" if slot.is_production else "Microsoft.Web/sites/slots/functions"
    parents = site.name if slot.is_production else f"{site.name}/{slot.name}"
    return {
        "id": f"{site.slot_id(slot.name)}/functions/{name}",
        "name": f"{parents}/{name}",
        "type": kind,
        "location": site.location,
        "properties": {
            "name": name,
            "function_app_id": site.slot_id(slot.name),
            "script_root_path_href": f"{base}/admin/vfs/site/wwwroot/{name}/",
            "script_href": function.get("script_href") or f"{base}/admin/vfs/site/wwwroot/function_app.py",
            "config_href": f"{base}/admin/vfs/site/wwwroot/{name}/function.json",
            "href": f"{base}/admin/functions/{name}",
            "config": function.get("config") or {},
            "invoke_url_template": function.get("invoke_url_template"),
            "language": function.get("language") or "python",
            "isDisabled": bool(function.get("isDisabled", False)),
        },
    }


async def _indexed(call: Call) -> list[dict[str, Any]]:
    """What the host lists. A host that could not index its app has no functions; nor has a slot that is stopped."""
    if not call.slot().running:
        return []
    found = json_or_none(await ask_host(call, "/admin/functions"))
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


@router.on("GET", SITE_OR_SLOT + "/functions")
async def list_functions(call: Call) -> Response:
    """All functions."""
    functions = await _indexed(call)
    site, slot = call.site(), call.slot()
    return answer({"value": [_to_arm(call, site, slot, one) for one in functions], "nextLink": None})


@router.on("GET", SITE_OR_SLOT + "/functions/{function}")
async def get_function(call: Call) -> Response:
    """One function."""
    wanted = call.parameters["function"].lower()
    for one in await _indexed(call):
        if str(one.get("name", "")).lower() == wanted:
            return answer(_to_arm(call, call.site(), call.slot(), one))
    raise arm_error(404, "NotFound", f"Function with name '{call.parameters['function']}' does not exist.")


@router.on("GET", SITE_OR_SLOT + "/functions/admin/token")
async def admin_token(call: Call) -> Response:
    """A token for the host's administration; this host takes our own internal one only, so it is never shown."""
    raise arm_error(501, "NotImplemented", f"Use the host keys of '{call.site().name}' instead.")


async def _synchronized(call: Call) -> Response:
    call.slot()
    return empty(204)


for _path in ("/syncfunctiontriggers", "/host/default/sync", "/host/default/listsyncstatus"):
    router.on("POST", SITE_OR_SLOT + _path)(_synchronized)
