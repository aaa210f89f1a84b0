"""The Resource Manager's JSON of a site or slot."""

from __future__ import annotations

from typing import Any

from local_azure.model import PRODUCTION, Site, Slot
from local_azure.resource_manager.call import Call
from local_azure.resource_manager.site_body import LISTS_OF_SETTINGS


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
