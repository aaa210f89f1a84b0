"""Results of asynchronous operations, for who polls them."""

from __future__ import annotations

from starlette.responses import Response

from local_azure.errors import arm_error
from local_azure.model import Operation, OperationState
from local_azure.resource_manager.call import Call, answer, empty
from local_azure.resource_manager.router import SITE_OR_SLOT, Router
from local_azure.resource_manager.site_json import to_arm

router = Router()


def headers_of(call: Call, operation: Operation) -> dict[str, str]:
    """Where to poll, and how often."""
    site = call.site()
    version = call.query.get("api-version", "")
    path = f"{site.slot_id(call.slot_name)}/operationresults/{operation.id}?api-version={version}"
    return {
        "Location": f"{call.base_url}{path}",
        "Retry-After": str(call.cloud.settings.timing.retry_after),
    }


@router.on("GET", SITE_OR_SLOT + "/operationresults/{operation}")
async def get_result(call: Call) -> Response:
    """202 while it runs, then the site or the error."""
    slot = call.slot()
    site = call.site()
    operation = site.operations.get(call.parameters["operation"])
    if operation is None:
        raise arm_error(404, "NotFound", f"Operation '{call.parameters['operation']}' was not found.")
    if operation.state == OperationState.IN_PROGRESS:
        return empty(202, headers_of(call, operation))
    if operation.state == OperationState.FAILED:
        return answer(operation.error, operation.error_status or 500)
    return answer(to_arm(call, site, slot))
