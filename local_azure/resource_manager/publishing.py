"""Publishing credentials of a slot, and whether its deployment endpoint takes them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.deployment.application import publishing_user
from local_azure.model import Site, Slot
from local_azure.resource_manager.call import Call, answer
from local_azure.resource_manager.router import SITE_OR_SLOT, Router

router = Router()


@router.on("POST", SITE_OR_SLOT + "/config/publishingcredentials/list")
async def list_credentials(call: Call) -> Response:
    """User, password and address of the deployment endpoint."""
    slot, site = call.slot(), call.site()
    user, password = publishing_user(site.name, slot.name), slot.publishing_password
    return answer(
        {
            "id": f"{site.slot_id(slot.name)}/publishingcredentials/{user}",
            "name": site.name if slot.is_production else f"{site.name}/{slot.name}",
            "type": "Microsoft.Web/sites/publishingcredentials",
            "location": site.location,
            "properties": {
                "publishingUserName": user,
                "publishingPassword": password,
                "scmUri": f"http://{user}:{password}@{call.cloud.scm_hostname(slot)}",
            },
        }
    )


def _policy(site: Site, slot: Slot) -> dict[str, Any]:
    return {
        "id": f"{site.slot_id(slot.name)}/basicPublishingCredentialsPolicies/scm",
        "name": "scm",
        "type": "Microsoft.Web/sites/basicPublishingCredentialsPolicies",
        "location": site.location,
        "properties": {"allow": slot.properties.get("scmBasicAuth", True)},
    }


@router.on("GET", SITE_OR_SLOT + "/basicPublishingCredentialsPolicies/scm")
async def get_policy(call: Call) -> Response:
    """Whether user and password are taken."""
    slot = call.slot()
    return answer(_policy(call.site(), slot))


@router.on("PUT", SITE_OR_SLOT + "/basicPublishingCredentialsPolicies/scm")
async def put_policy(call: Call) -> Response:
    """Allow or forbid user and password."""
    slot = call.slot()
    allow = bool(call.properties().get("allow", True))
    changed = call.change_slot(properties={**slot.properties, "scmBasicAuth": allow})
    return answer(_policy(call.site(), changed))
