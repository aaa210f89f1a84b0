"""App Service plans: their tier says how many slots an app may have."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from local_azure.errors import arm_error, conflict
from local_azure.model import Plan, Site
from local_azure.resource_manager.call import Call, answer, empty
from local_azure.resource_manager.router import SUBSCRIPTION, WEB, Router
from local_azure.state import plan_key

router = Router()

TIERS = {
    "Y": "Dynamic",
    "EP": "ElasticPremium",
    "FC": "FlexConsumption",
    "F": "Free",
    "D": "Shared",
    "B": "Basic",
    "S": "Standard",
    "P": "PremiumV2",
}
# Slots of an app, production included.
SLOTS = {"Dynamic": 2, "ElasticPremium": 3, "FlexConsumption": 1, "Free": 1, "Shared": 1, "Basic": 1, "Standard": 5}
MOST_SLOTS = 20


def slot_limit(plan: Plan | None) -> int:
    """How many slots an app of this plan may have, production included."""
    return SLOTS.get(plan.tier, MOST_SLOTS) if plan else SLOTS["Dynamic"]


def complete_sku(sku: dict[str, Any]) -> dict[str, Any]:
    """Return a SKU with the tier and family that its name implies."""
    name = str(sku.get("name") or "Y1")
    letters = name.rstrip("0123456789v").upper() or "Y"
    version = name.lower().partition("v")[2]
    tier = "PremiumV" + version if letters == "P" and version in ("2", "3", "4") else TIERS.get(letters, "Standard")
    return {"name": name, "tier": tier, "size": name, "family": letters, "capacity": 0, **sku}


def consumption_plan(subscription: str, group: str, location: str) -> Plan:
    """The plan that Azure makes for a function app that names none."""
    name = f"{location.title().replace(' ', '')}Plan"
    return Plan(
        subscription=subscription,
        resource_group=group,
        name=name,
        location=location,
        sku=complete_sku({"name": "Y1", "tier": "Dynamic"}),
    )


def apps_of(call: Call, plan: Plan) -> list[Site]:
    """The sites on a plan."""
    return [site for site in call.cloud.state.sites if site.plan_id.lower() == plan.id.lower()]


def to_arm(call: Call, plan: Plan) -> dict[str, Any]:
    """The plan's ARM JSON."""
    return {
        "id": plan.id,
        "name": plan.name,
        "type": "Microsoft.Web/serverfarms",
        "kind": plan.kind,
        "location": plan.location,
        "tags": plan.tags,
        "sku": plan.sku,
        "properties": {
            **plan.properties,
            "status": "Ready",
            "provisioningState": "Succeeded",
            "subscription": plan.subscription,
            "resourceGroup": plan.resource_group,
            "geoRegion": plan.location,
            "numberOfSites": len(apps_of(call, plan)),
            "maximumNumberOfWorkers": 200 if plan.tier == "Dynamic" else 20,
        },
    }


def _find(call: Call) -> Plan:
    call.group()
    name = call.parameters["plan"]
    plan = call.cloud.state.plans.get(plan_key(call.subscription, call.resource_group, name))
    if plan is None:
        raise arm_error(
            404,
            "ResourceNotFound",
            f"The Resource 'Microsoft.Web/serverfarms/{name}' under resource group '{call.resource_group}' "
            "was not found.",
        )
    return plan


@router.on("PUT", WEB + "/serverfarms/{plan}")
async def put_plan(call: Call) -> Response:
    """Create or update."""
    group = call.group()
    name = call.parameters["plan"]
    key = plan_key(call.subscription, call.resource_group, name)
    known = call.cloud.state.plans.get(key)
    body = call.json if isinstance(call.json, dict) else {}
    sku = body.get("sku") or (known.sku if known else {})
    plan = Plan(
        subscription=call.subscription,
        resource_group=group.name,
        name=known.name if known else name,
        location=str(body.get("location") or group.location),
        kind=str(body.get("kind") or "functionapp"),
        sku=complete_sku(sku),
        properties=call.properties(),
        tags=body.get("tags") or {},
    )
    call.cloud.state.plans.put(key, plan)
    return answer(to_arm(call, plan))


@router.on("GET", WEB + "/serverfarms/{plan}")
async def get_plan(call: Call) -> Response:
    """One plan."""
    return answer(to_arm(call, _find(call)))


@router.on("DELETE", WEB + "/serverfarms/{plan}")
async def delete_plan(call: Call) -> Response:
    """Delete a plan without apps."""
    plan = _find(call)
    if sites := apps_of(call, plan):
        raise conflict(
            f"Server farm '{plan.name}' cannot be deleted because it has web app(s) {sites[0].name} assigned to it.",
            extended_code="11003",
            template="Server farm '{0}' cannot be deleted because it has web app(s) {1} assigned to it.",
            parameters=(plan.name, sites[0].name),
        )
    call.cloud.state.plans.remove(plan_key(call.subscription, call.resource_group, plan.name))
    return empty(200)


@router.on("GET", WEB + "/serverfarms")
async def list_plans_of_group(call: Call) -> Response:
    """The plans of a resource group."""
    group = call.group()
    plans = [
        plan
        for plan in call.cloud.state.plans
        if (plan.subscription.lower(), plan.resource_group.lower()) == (call.subscription.lower(), group.name.lower())
    ]
    return answer({"value": [to_arm(call, plan) for plan in plans], "nextLink": None})


@router.on("GET", SUBSCRIPTION + "/providers/Microsoft.Web/serverfarms")
async def list_plans(call: Call) -> Response:
    """The plans of a subscription."""
    plans = [plan for plan in call.cloud.state.plans if plan.subscription.lower() == call.subscription.lower()]
    return answer({"value": [to_arm(call, plan) for plan in plans], "nextLink": None})
