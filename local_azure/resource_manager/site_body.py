"""What the body of a PUT or PATCH of a site or slot changes."""

from __future__ import annotations

import re
from typing import Any

from local_azure.errors import bad_request
from local_azure.model import ConnectionString, Slot, utcnow
from local_azure.resource_manager.call import Call

SITE_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,58}[A-Za-z0-9])?")
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


def _named(value: Any, what: str) -> dict[str, dict[str, Any]]:
    """Return a list of objects with names by their names; raises 400."""
    if not isinstance(value, list) or not all(isinstance(one, dict) and one.get("name") for one in value):
        raise bad_request(f"The parameter {what} has an invalid value: expected a list of objects with name and value.")
    return {str(one["name"]): one for one in value}


def with_body(slot: Slot, call: Call) -> Slot:
    """Return the slot with what a PUT or PATCH body says."""
    properties = call.properties()
    config = properties.get("siteConfig") or {}
    if not isinstance(config, dict):
        raise bad_request("The parameter siteConfig has an invalid value: expected an object.")
    fields: dict[str, Any] = {"last_modified": utcnow()}
    if config.get("appSettings") is not None:
        pairs = _named(config["appSettings"], "appSettings")
        fields["app_settings"] = {name: str(pair.get("value") or "") for name, pair in pairs.items()}
    if config.get("connectionStrings") is not None:
        strings = _named(config["connectionStrings"], "connectionStrings")
        fields["connection_strings"] = {
            name: ConnectionString(value=str(one.get("connectionString") or ""), type=str(one.get("type") or "Custom"))
            for name, one in strings.items()
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


def runs_other(old: Slot, new: Slot) -> bool:
    """Whether a change needs a new host."""
    return (old.app_settings, old.connection_strings, old.site_config) != (
        new.app_settings,
        new.connection_strings,
        new.site_config,
    )
