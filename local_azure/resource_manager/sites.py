"""Sites: create, update, get, list, delete. (Slots beside production: slots.py.)"""

from __future__ import annotations

import logging

from starlette.responses import Response

from local_azure.errors import arm_error, bad_request, conflict
from local_azure.model import PRODUCTION, Plan, Site
from local_azure.resource_manager.call import Call, answer, empty
from local_azure.resource_manager.plans import consumption_plan
from local_azure.resource_manager.router import SITE, SITE_OR_SLOT, SUBSCRIPTION, WEB, Router
from local_azure.resource_manager.site_body import SITE_NAME, with_body
from local_azure.resource_manager.site_json import to_arm
from local_azure.resource_manager.site_update import update
from local_azure.state import plan_key

log = logging.getLogger("local_azure.resource_manager")
router = Router()

LONGEST_SITE_NAME = 40


def _plan_for(call: Call, location: str) -> Plan:
    """The plan that the body names, or the consumption plan that Azure makes when it names none."""
    plan_id = call.properties().get("serverFarmId")
    group = call.group()
    if plan_id:
        wanted = str(plan_id).lower()
        if "/" not in wanted:
            wanted = f"{group.id}/providers/Microsoft.Web/serverfarms/{plan_id}".lower()
        for plan in call.cloud.state.plans:
            if plan.id.lower() == wanted:
                return plan
        name = str(plan_id).rpartition("/")[2]
        raise arm_error(404, "ResourceNotFound", f"Server farm with name {name} not found.")
    plan = consumption_plan(call.subscription, group.name, location)
    key = plan_key(call.subscription, group.name, plan.name)
    known = call.cloud.state.plans.get(key)
    if known is None:
        call.cloud.state.plans.put(key, plan)
    return known or plan


@router.on("PUT", SITE)
async def put_site(call: Call) -> Response:
    """Create or update a site; a new one starts with empty content."""
    group = call.group()
    known = call.find_site()
    if known is not None:
        return await update(call, known.slots[PRODUCTION])
    name = call.site_name
    if call.cloud.state.sites.get(name) is not None:
        raise conflict(
            f"Website with given name {name} already exists.",
            extended_code="54001",
            template="Website with given name {0} already exists.",
            parameters=(name,),
        )
    if not SITE_NAME.fullmatch(name) or len(name) > LONGEST_SITE_NAME:
        raise bad_request(f"The parameter name has an invalid value: '{name}' (letters, digits, hyphens; at most 40).")
    body = call.json if isinstance(call.json, dict) else {}
    location = str(body.get("location") or group.location)
    plan = _plan_for(call, location)
    call.properties()
    slot, sockets = call.cloud.new_slot(PRODUCTION)
    site = Site(
        subscription=call.subscription,
        resource_group=group.name,
        name=name,
        location=location,
        kind=str(body.get("kind") or "functionapp"),
        plan_id=plan.id,
        slots={},
    )
    slot = with_body(slot, call)
    site = call.cloud.state.save(site.with_slot(slot))
    await call.cloud.open_slot(site.name, PRODUCTION, sockets)
    return answer(to_arm(call, site, slot))


@router.on("PATCH", SITE_OR_SLOT)
async def patch(call: Call) -> Response:
    """Change what the body names."""
    slot = call.slot()
    return await update(call, slot)


@router.on("GET", SITE_OR_SLOT)
async def get(call: Call) -> Response:
    """One site or slot."""
    slot = call.slot()
    return answer(to_arm(call, call.site(), slot))


@router.on("GET", WEB + "/sites")
async def list_of_group(call: Call) -> Response:
    """The sites of a resource group; with includeSlots=true their slots, too."""
    group = call.group()
    with_slots = call.query.get("includeSlots", "").lower() == "true"
    value = [
        to_arm(call, site, slot)
        for site in call.cloud.state.sites
        if (site.subscription.lower(), site.resource_group.lower()) == (call.subscription.lower(), group.name.lower())
        for slot in site.slots.values()
        if slot.is_production or with_slots
    ]
    return answer({"value": value, "nextLink": None})


@router.on("GET", SUBSCRIPTION + "/providers/Microsoft.Web/sites")
async def list_of_subscription(call: Call) -> Response:
    """The sites of a subscription."""
    value = [
        to_arm(call, site, site.slots[PRODUCTION])
        for site in call.cloud.state.sites
        if site.subscription.lower() == call.subscription.lower()
    ]
    return answer({"value": value, "nextLink": None})


@router.on("DELETE", SITE)
async def delete_site(call: Call) -> Response:
    """Delete a site with its slots; its plan, too, when that was the last app (unless told not to)."""
    if call.find_site() is None:
        call.group()
        return empty(204)
    site = call.free_site()
    call.cloud.state.sites.remove(site.name)
    plan = call.cloud.plan_of(site)
    keep_plan = call.query.get("deleteEmptyServerFarm", "true").lower() == "false"
    if (
        plan is not None
        and not keep_plan
        and not any(other.plan_id.lower() == plan.id.lower() for other in call.cloud.state.sites)
    ):
        call.cloud.state.plans.remove(plan_key(plan.subscription, plan.resource_group, plan.name))
    await call.cloud.close_slots(site, list(site.slots))
    log.info("%s: deleted with its slots", site.name)
    return empty(200)
