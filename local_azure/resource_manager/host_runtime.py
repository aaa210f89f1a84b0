"""A slot's Functions host through the Resource Manager: its status, its deployed files, its management API."""

from __future__ import annotations

from urllib.parse import urlencode

import httpx
from starlette.responses import Response

from local_azure.errors import app_service_error, arm_error
from local_azure.resource_manager.call import Call
from local_azure.resource_manager.router import SITE_OR_SLOT, Router
from local_azure.slot_runtime import HostUnavailable, SiteStopped

router = Router()

FILES = "admin/vfs/"
WAIT_FOR_HOST_SECONDS = 60.0


async def ask_host(call: Call, path: str, *, method: str = "GET", body: bytes | None = None) -> httpx.Response:
    """Send a request to the slot's host with master rights, waiting while it starts.

    Raises App Service's errors for a slot that is stopped or whose host does not answer.
    """
    try:
        host = await call.runtime().acquire(limit=WAIT_FOR_HOST_SECONDS)
    except SiteStopped:
        raise app_service_error(
            403, "SiteDisabled", "The web app is stopped: its Functions host cannot be asked.", extended_code="51004"
        ) from None
    except HostUnavailable as problem:
        raise arm_error(503, "ServiceUnavailable", f"The Functions host does not answer: {problem}") from None
    try:
        headers = {"X-Forwarded-Host": call.cloud.hostname(call.slot()), "X-Forwarded-Proto": "http"}
        if body:
            headers["Content-Type"] = "application/json"
        return await host.call(method, path, headers=headers, content=body)
    except httpx.HTTPError as problem:
        message = f"Encountered an error ({type(problem).__name__}) from host runtime."
        raise arm_error(502, "BadGateway", message) from None
    finally:
        host.give_back()


async def _forward(call: Call) -> Response:
    path = call.parameters["path"]
    slot = call.slot()
    if path.lower().startswith(FILES) and call.method == "GET":
        await ask_host(call, "/admin/host/ping")  # on Azure the host serves its files: none, when it cannot
        file = path[len(FILES) :].removeprefix("home/")
        content = call.cloud.deployments(call.site(), slot.name).read_file(file)
        if content is None:
            raise arm_error(404, "NotFound", f"The file '{file}' was not found.")
        return Response(
            content, media_type="application/json" if file.endswith(".json") else "application/octet-stream"
        )
    query = urlencode({name: value for name, value in call.query.items() if name != "api-version"})
    target = f"/{path}?{query}" if query else f"/{path}"
    found = await ask_host(call, target, method=call.method, body=call.body or None)
    return Response(found.content, found.status_code, media_type=found.headers.get("content-type"))


for _method in ("GET", "POST", "PUT", "DELETE"):
    router.on(_method, SITE_OR_SLOT + "/hostruntime/{path:rest}")(_forward)
