"""Deployments of a slot as the Resource Manager tells them."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.deployment.history import Deployment, DeployStatus
from local_azure.errors import arm_error
from local_azure.model import Site, Slot
from local_azure.resource_manager.call import Call, answer
from local_azure.resource_manager.router import SITE_OR_SLOT, Router

router = Router()

BUILD_STATUS = {
    DeployStatus.PENDING: "BuildRequestReceived",
    DeployStatus.BUILDING: "BuildInProgress",
    DeployStatus.DEPLOYING: "BuildSuccessful",
    DeployStatus.FAILED: "BuildFailed",
    DeployStatus.CANCELLED: "BuildAborted",
}


def _to_arm(site: Site, slot: Slot, deployment: Deployment) -> dict[str, Any]:
    return {
        "id": f"{site.slot_id(slot.name)}/deployments/{deployment.id}",
        "name": f"{site.name}/{deployment.id}",
        "type": "Microsoft.Web/sites/deployments",
        "location": site.location,
        "properties": {
            "id": deployment.id,
            "status": int(deployment.status),
            "status_text": deployment.status_text,
            "author": deployment.author,
            "author_email": deployment.author_email,
            "deployer": deployment.deployer,
            "message": deployment.message,
            "received_time": deployment.received.isoformat(),
            "start_time": (deployment.started or deployment.received).isoformat(),
            "end_time": deployment.ended.isoformat() if deployment.ended else None,
            "complete": deployment.status.is_final,
            "active": deployment.active,
            "site_name": site.name,
        },
    }


def _find(call: Call) -> Deployment:
    call.slot()
    identifier = call.parameters["deployment"]
    found = call.cloud.deployments(call.site(), call.slot_name).deployer.history.get(identifier)
    if found is None:
        raise arm_error(404, "NotFound", f"Deployment '{identifier}' was not found.")
    return found


@router.on("GET", SITE_OR_SLOT + "/deployments")
async def list_deployments(call: Call) -> Response:
    """All deployments of the slot's content, newest first."""
    slot = call.slot()
    site = call.site()
    history = call.cloud.deployments(site, slot.name).deployer.history.all()
    return answer({"value": [_to_arm(site, slot, found) for found in reversed(history)], "nextLink": None})


@router.on("GET", SITE_OR_SLOT + "/deployments/{deployment}")
async def get_deployment(call: Call) -> Response:
    """One deployment."""
    found = _find(call)
    return answer(_to_arm(call.site(), call.slot(), found))


@router.on("GET", SITE_OR_SLOT + "/deploymentStatus/{deployment}")
async def get_status(call: Call) -> Response:
    """Progress of a deployment, the start of the new host included."""
    found = _find(call)
    site, slot = call.site(), call.slot()
    runtime = call.runtime()
    status = BUILD_STATUS.get(found.status, "BuildFailed")
    if found.status == DeployStatus.SUCCESS:
        up = runtime.serving is not None
        status = "RuntimeSuccessful" if up else "RuntimeFailed" if runtime.failure else "RuntimeStarting"
    properties = {
        "deploymentId": found.id,
        "status": status,
        "numberOfInstancesInProgress": int(status == "RuntimeStarting"),
        "numberOfInstancesSuccessful": int(status == "RuntimeSuccessful"),
        "numberOfInstancesFailed": int(status == "RuntimeFailed"),
        "failedInstancesLogs": [],
        "errors": [],
    }
    resource = {
        "id": f"{site.slot_id(slot.name)}/deploymentStatus/{found.id}",
        "name": found.id,
        "type": "Microsoft.Web/sites/deploymentStatus",
        "location": site.location,
        "properties": properties,
    }
    return answer(resource)
