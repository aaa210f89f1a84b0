"""Sites and their slots: create, update, get, list, delete."""

from __future__ import annotations

import logging
import re
from typing import Any

from starlette.responses import Response

from local_azure.errors import arm_error, bad_request, conflict
from local_azure.model import PRODUCTION, ConnectionString, Plan, Site, Slot, utcnow
from local_azure.resource_manager.call import Call, answer, empty
from local_azure.resource_manager.plans import consumption_plan, slot_limit
from local_azure.resource_manager.router import SITE, SITE_OR_SLOT, SUBSCRIPTION, WEB, Router
from local_azure.state import plan_key

log = logging.getLogger("local_azure.resource_manager")
router = Router()

SITE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])?")
LONGEST_SITE_NAME = 40
LONGEST_SLOT_NAME = 19
LONGEST_TOGETHER = 58
# Properties that a caller may set and gets back; the rest of a site's JSON is made anew each time.
KEPT_PROPERTIES = (
    "httpsOnly",
    "clientAffinityEnabled",
    "clientCertEnabled",
    "clientCertMode",
    "reserved",
    "publicNetworkAccess",
    "keyVaultReferenceIdentity",
    "virtualNetworkSubnetId",
    "functionAppConfig",
    "dailyMemoryTimeQuota",
)
LISTS_OF_SETTINGS = ("appSettings", "connectionStrings")


def slot_title(slot: str) -> str:
    """A slot's name as the Resource Manager writes it."""
    return "Production" if slot == PRODUCTION else slot


def to_arm(call: Call, site: Site, slot: Slot) -> dict[str, Any]:
    """The ARM JSON of a site or slot; settings and their values are not part of it."""
    cloud = call.cloud
    host, scm = cloud.hostname(slot), cloud.scm_hostname(slot)
    full_name = site.name if slot.is_production else f"{site.name}/{slot.name}"
    plan = cloud.plan_of(site)
    swap = site.swap
    properties: dict[str, Any] = {
        "name": site.name if slot.is_production else f"{site.name}({slot.name})",
        "state": "Running" if slot.running else "Stopped",
        "hostNames": [host],
        "enabledHostNames": [host, scm],
        "repositorySiteName": site.name,
        "usageState": "Normal",
        "enabled": True,
        "availabilityState": "Normal",
        "hostNameSslStates": [
            {"name": host, "sslState": "Disabled", "hostType": "Standard"},
            {"name": scm, "sslState": "Disabled", "hostType": "Repository"},
        ],
        "serverFarmId": site.plan_id,
        "reserved": True,
        "isXenon": False,
        "hyperV": False,
        "lastModifiedTimeUtc": slot.last_modified.isoformat(),
        "scmSiteAlsoStopped": False,
        "targetSwapSlot": swap.target if swap and swap.preview and swap.source == slot.name else None,
        "resourceGroup": site.resource_group,
        "defaultHostName": host,
        "slotSwapStatus": swap_status(site),
        "httpsOnly": False,
        "redundancyMode": "None",
        "inProgressOperationId": swap.id if swap and not swap.preview else None,
        "sku": plan.tier if plan else "Dynamic",
        "siteConfig": {name: value for name, value in slot.site_config.items() if name not in LISTS_OF_SETTINGS},
    }
    return {
        "id": site.slot_id(slot.name),
        "name": full_name,
        "type": "Microsoft.Web/sites" if slot.is_production else "Microsoft.Web/sites/slots",
        "kind": site.kind,
        "location": site.location,
        "tags": slot.tags,
        "identity": slot.identity,
        "properties": properties | slot.properties,
    }


def swap_status(site: Site) -> dict[str, Any] | None:
    """The last swap, as each slot of the site tells it."""
    if site.last_swap is None:
        return None
    return {
        "timestampUtc": site.last_swap.timestamp.isoformat(),
        "sourceSlotName": slot_title(site.last_swap.source),
        "destinationSlotName": slot_title(site.last_swap.destination),
    }


def _with_body(slot: Slot, call: Call) -> Slot:
    """Return the slot with what a PUT or PATCH body says."""
    properties = call.properties()
    config = properties.get("siteConfig") or {}
    fields: dict[str, Any] = {"last_modified": utcnow()}
    if config.get("appSettings") is not None:
        fields["app_settings"] = {str(pair["name"]): str(pair.get("value") or "") for pair in config["appSettings"]}
    if config.get("connectionStrings") is not None:
        fields["connection_strings"] = {
            str(one["name"]): ConnectionString(
                value=str(one.get("connectionString") or ""), type=str(one.get("type") or "Custom")
            )
            for one in config["connectionStrings"]
        }
    others = {name: value for name, value in config.items() if name not in LISTS_OF_SETTINGS and value is not None}
    fields["site_config"] = slot.site_config | others
    kept = {name: properties[name] for name in KEPT_PROPERTIES if properties.get(name) is not None}
    fields["properties"] = slot.properties | kept
    body = call.json if isinstance(call.json, dict) else {}
    if body.get("tags") is not None:
        fields["tags"] = body["tags"]
    if body.get("identity") is not None:
        fields["identity"] = body["identity"]
    return slot.changed(**fields)


def _runs_other(old: Slot, new: Slot) -> bool:
    """Whether a change needs a new host."""
    return (old.app_settings, old.connection_strings, old.site_config) != (
        new.app_settings,
        new.connection_strings,
        new.site_config,
    )


async def _update(call: Call, site: Site, slot: Slot) -> Response:
    site = call.free_site()
    slot = site.slots[slot.name]
    changed = _with_body(slot, call)
    site = call.cloud.state.save(site.with_slot(changed))
    if _runs_other(slot, changed) and changed.running:
        call.cloud.runtime(site, slot.name).restart_soon("its configuration was changed")
    return answer(to_arm(call, site, changed))


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
        return await _update(call, known, known.slots[PRODUCTION])
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
    slot = _with_body(slot, call)
    site = call.cloud.state.save(site.with_slot(slot))
    await call.cloud.open_slot(site.name, PRODUCTION, sockets)
    return answer(to_arm(call, site, slot))


@router.on("PUT", SITE + "/slots/{slot}")
async def put_slot(call: Call) -> Response:
    """Create or update a slot; the plan's tier limits their number."""
    site = call.site()
    name = call.slot_name
    if name in site.slots:
        return await _update(call, site, site.slots[name])
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
    slot = _with_body(slot, call)
    site = call.cloud.state.save(site.with_slot(slot))
    await call.cloud.open_slot(site.name, name, sockets)
    return answer(to_arm(call, site, slot))


@router.on("PATCH", SITE_OR_SLOT)
async def patch(call: Call) -> Response:
    """Change what the body names."""
    slot = call.slot()
    return await _update(call, call.site(), slot)


@router.on("GET", SITE_OR_SLOT)
async def get(call: Call) -> Response:
    """One site or slot."""
    slot = call.slot()
    return answer(to_arm(call, call.site(), slot))


@router.on("GET", SITE + "/slots")
async def list_slots(call: Call) -> Response:
    """The slots of a site, production not among them."""
    site = call.site()
    slots = [slot for slot in site.slots.values() if not slot.is_production]
    return answer({"value": [to_arm(call, site, slot) for slot in slots], "nextLink": None})


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


@router.on("DELETE", SITE + "/slots/{slot}")
async def delete_slot(call: Call) -> Response:
    """Delete a slot and its content."""
    slot = call.slot()
    site = call.free_site()
    if slot.is_production:
        raise bad_request("The production slot is deleted with its site.")
    remaining = {name: other for name, other in site.slots.items() if name != slot.name}
    call.cloud.state.save(site.changed(slots=remaining))
    await call.cloud.close_slot(site, slot.name)
    call.cloud.state.forget_content(site.name, slot.volume)
    log.info("%s: deleted", site.label(slot.name))
    return empty(200)


@router.on("DELETE", SITE)
async def delete_site(call: Call) -> Response:
    """Delete a site with its slots; its plan, too, when that was the last app (unless told not to)."""
    if call.find_site() is None:
        call.group()
        return empty(204)
    site = call.free_site()
    call.cloud.state.sites.remove(site.name)
    for name in list(site.slots):
        await call.cloud.close_slot(site, name)
    call.cloud.state.forget_content(site.name)
    plan = call.cloud.plan_of(site)
    keep_plan = call.query.get("deleteEmptyServerFarm", "true").lower() == "false"
    if (
        plan is not None
        and not keep_plan
        and not any(other.plan_id.lower() == plan.id.lower() for other in call.cloud.state.sites)
    ):
        call.cloud.state.plans.remove(plan_key(plan.subscription, plan.resource_group, plan.name))
    log.info("%s: deleted with its slots", site.name)
    return empty(200)
