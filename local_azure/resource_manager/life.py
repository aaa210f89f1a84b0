"""Start, stop and restart of a slot."""

from __future__ import annotations

from starlette.responses import Response

from local_azure.resource_manager.call import Call, empty
from local_azure.resource_manager.router import SITE_OR_SLOT, Router

router = Router()


@router.on("POST", SITE_OR_SLOT + "/start")
async def start(call: Call) -> Response:
    """Start; a running slot is left alone."""
    if not call.slot().running:
        call.change_slot(running=True)
        call.runtime().start_soon("start")
    return empty()


@router.on("POST", SITE_OR_SLOT + "/stop")
async def stop(call: Call) -> Response:
    """Stop: requests get 403 from now on. The deployment endpoint stays."""
    if call.slot().running:
        call.change_slot(running=False)
        call.runtime().stop_soon("stop")
    return empty()


@router.on("POST", SITE_OR_SLOT + "/restart")
async def restart(call: Call) -> Response:
    """Restart; with synchronous=true the answer comes when the host is up."""
    call.free_site()
    slot = call.slot()
    runtime = call.runtime()
    if slot.running:
        runtime.restart_soon("restart")
        if call.query.get("synchronous", "").lower() == "true":
            await runtime.settled()
    return empty()
