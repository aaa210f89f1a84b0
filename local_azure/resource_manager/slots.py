"""Slots of a site beside production: create, update, list, delete. Get and PATCH are those of sites."""

from __future__ import annotations

import logging

from starlette.responses import Response

from local_azure.errors import bad_request, conflict
from local_azure.model import PRODUCTION
from local_azure.resource_manager.call import Call, answer, empty
from local_azure.resource_manager.plans import slot_limit
from local_azure.resource_manager.router import SITE, Router
from local_azure.resource_manager.site_body import SITE_NAME, with_body
from local_azure.resource_manager.site_json import to_arm
from local_azure.resource_manager.site_update import update

log = logging.getLogger("local_azure.resource_manager")
router = Router()

LONGEST_SLOT_NAME = 19
LONGEST_TOGETHER = 58


@router.on("PUT", SITE + "/slots/{slot}")
async def put_slot(call: Call) -> Response:
    """Create or update a slot; the plan's tier limits their number."""
    site = call.site()
    name = call.slot_name
    if name in site.slots:
        return await update(call, site.slots[name])
    call.free_site()
    too_long = len(name) > LONGEST_SLOT_NAME or len(site.name) + len(name) > LONGEST_TOGETHER
    if name == PRODUCTION or not SITE_NAME.fullmatch(name) or too_long:
        raise bad_request(f"The parameter slot has an invalid value: '{name}' (letters, digits, hyphens; at most 19).")
    plan = call.cloud.plan_of(site)
    if len(site.slots) >= slot_limit(plan):
        tier = plan.tier if plan else "Dynamic"
        raise conflict(
            f"Cannot complete the operation because the site will exceed the number of slots allowed for the "
            f"'{tier}' SKU.",
            extended_code="04068",
            template="Cannot complete the operation because the site will exceed the number of slots allowed for "
            "the '{0}' SKU.",
            parameters=(tier,),
        )
    slot, sockets = call.cloud.new_slot(name)
    slot = with_body(slot, call)
    site = call.cloud.state.save(site.with_slot(slot))
    await call.cloud.open_slot(site.name, name, sockets)
    return answer(to_arm(call, site, slot))


@router.on("GET", SITE + "/slots")
async def list_slots(call: Call) -> Response:
    """The slots of a site, production not among them."""
    site = call.site()
    slots = [slot for slot in site.slots.values() if not slot.is_production]
    return answer({"value": [to_arm(call, site, slot) for slot in slots], "nextLink": None})


@router.on("DELETE", SITE + "/slots/{slot}")
async def delete_slot(call: Call) -> Response:
    """Delete a slot and its content."""
    slot = call.slot()
    site = call.free_site()
    if slot.is_production:
        raise bad_request("The production slot is deleted with its site.")
    remaining = {name: other for name, other in site.slots.items() if name != slot.name}
    call.cloud.state.save(site.changed(slots=remaining))
    await call.cloud.close_slots(site, [slot.name])
    log.info("%s: deleted", site.label(slot.name))
    return empty(200)
