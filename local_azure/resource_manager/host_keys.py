"""Keys of a slot's Functions host, asked of the host itself."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from starlette.responses import Response

from local_azure.errors import arm_error
from local_azure.resource_manager.call import Call, answer, empty
from local_azure.resource_manager.host_runtime import ask_host
from local_azure.resource_manager.router import SITE_OR_SLOT, Router
from local_azure.supervisor import json_or_none

router = Router()

HOST = SITE_OR_SLOT + "/host/default"
# The Resource Manager's word for a kind of key, and the host's.
KINDS = {"functionkeys": "keys", "systemkeys": "systemkeys", "masterkey": "_master"}


def _by_name(value: Any) -> dict[str, str]:
    """Keys as an object, from an object or from the host's list of names and values."""
    if isinstance(value, dict):
        return {str(name): str(key) for name, key in value.items()}
    if isinstance(value, list):
        return {str(one["name"]): str(one["value"]) for one in value if isinstance(one, dict)}
    return {}


@router.on("POST", HOST + "/listkeys")
async def list_keys(call: Call) -> Response:
    """Master key, host-wide function keys, system keys."""
    found = json_or_none(await ask_host(call, "/admin/host/keys"))
    if not isinstance(found, dict):
        raise arm_error(400, "BadRequest", "Encountered an error (ServiceUnavailable) from host runtime.")
    return answer(
        {
            "masterKey": found.get("masterKey"),
            "functionKeys": _by_name(found.get("functionKeys") or found.get("keys")),
            "systemKeys": _by_name(found.get("systemKeys")),
        }
    )


def _path(call: Call) -> str:
    kind = KINDS.get(call.parameters["kind"].lower())
    if kind is None:
        raise arm_error(400, "BadRequest", f"Unknown kind of key '{call.parameters['kind']}'.")
    name = quote(call.parameters["key"], safe="")
    return f"/admin/host/{kind}" if kind == "_master" else f"/admin/host/{kind}/{name}"


@router.on("PUT", HOST + "/{kind}/{key}")
async def put_key(call: Call) -> Response:
    """Create or change a key."""
    properties = call.properties()
    body = json.dumps({"name": call.parameters["key"], "value": properties.get("value")}).encode()
    found = await ask_host(call, _path(call), method="PUT", body=body)
    if found.status_code not in (200, 201):
        raise arm_error(found.status_code, "BadRequest", "The Functions host did not take the key.")
    value = found.json() if found.content else {}
    kind, name = call.parameters["kind"], call.parameters["key"]
    return answer(
        {
            "id": f"{call.site().slot_id(call.slot_name)}/host/default/{kind}/{name}",
            "name": name,
            "properties": {"name": name, "value": value.get("value") or properties.get("value")},
        },
        found.status_code,
    )


@router.on("DELETE", HOST + "/{kind}/{key}")
async def delete_key(call: Call) -> Response:
    """Delete a key."""
    found = await ask_host(call, _path(call), method="DELETE")
    if found.status_code == 404:
        raise arm_error(404, "NotFound", f"The key '{call.parameters['key']}' does not exist.")
    return empty(204)
