"""Keep a change of a site or slot that exists, and restart its host when it needs that."""

from __future__ import annotations

from starlette.responses import Response

from local_azure.model import Slot
from local_azure.resource_manager.call import Call, answer
from local_azure.resource_manager.site_body import runs_other, with_body
from local_azure.resource_manager.site_json import to_arm


async def update(call: Call, slot: Slot) -> Response:
    """Answer a PUT or PATCH."""
    site = call.free_site()
    slot = site.slots[slot.name]
    changed = with_body(slot, call)
    site = call.cloud.state.save(site.with_slot(changed))
    if runs_other(slot, changed) and changed.running:
        call.cloud.runtime(site, slot.name).restart_soon("its configuration was changed")
    return answer(to_arm(call, site, changed))
