"""Resource groups, and the subscription that they live in."""

from __future__ import annotations

from starlette.responses import Response

from local_azure.errors import arm_error
from local_azure.model import ResourceGroup
from local_azure.resource_manager.call import Call, answer, empty
from local_azure.resource_manager.router import GROUP, SUBSCRIPTION, Router
from local_azure.state import group_key

router = Router()


def to_arm(group: ResourceGroup) -> dict[str, object]:
    """The group's ARM JSON."""
    return {
        "id": group.id,
        "name": group.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": group.location,
        "tags": group.tags,
        "properties": {"provisioningState": "Succeeded"},
    }


@router.on("GET", SUBSCRIPTION)
async def get_subscription(call: Call) -> Response:
    """Any subscription id exists."""
    identifier = call.subscription
    return answer(
        {
            "id": f"/subscriptions/{identifier}",
            "subscriptionId": identifier,
            "displayName": "local Azure",
            "state": "Enabled",
        }
    )


@router.on("GET", SUBSCRIPTION + "/resourceGroups")
async def list_groups(call: Call) -> Response:
    """All groups of the subscription."""
    groups = [group for group in call.cloud.state.groups if group.subscription.lower() == call.subscription.lower()]
    return answer({"value": [to_arm(group) for group in groups]})


@router.on("PUT", GROUP)
async def put_group(call: Call) -> Response:
    """Create or update."""
    body = call.json if isinstance(call.json, dict) else {}
    key = group_key(call.subscription, call.resource_group)
    known = call.cloud.state.groups.get(key)
    group = ResourceGroup(
        subscription=call.subscription,
        name=known.name if known else call.resource_group,
        location=str(body.get("location") or call.cloud.settings.location),
        tags=body.get("tags") or {},
    )
    call.cloud.state.groups.put(key, group)
    return answer(to_arm(group), 200 if known else 201)


@router.on("GET", GROUP)
async def get_group(call: Call) -> Response:
    """One group."""
    return answer(to_arm(call.group()))


@router.on("HEAD", GROUP)
async def has_group(call: Call) -> Response:
    """204 when it exists."""
    call.group()
    return empty(204)


@router.on("DELETE", GROUP)
async def delete_group(call: Call) -> Response:
    """Delete an empty group. Azure deletes what is in it, too; here that must be done first."""
    group = call.group()
    state = call.cloud.state
    inside = [site.id for site in state.sites] + [plan.id for plan in state.plans]
    if any(identifier.lower().startswith(f"{group.id.lower()}/") for identifier in inside):
        raise arm_error(409, "ResourceGroupNotEmpty", f"Delete what is in resource group '{group.name}' first.")
    state.groups.remove(group_key(call.subscription, call.resource_group))
    return empty(200)
