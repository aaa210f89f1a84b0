"""The environment variables of a slot's Functions host: its settings and what the platform adds."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from local_azure.model import Plan, Site, Slot

# Of our own environment only what a process needs to run at all: a storage connection exported in somebody's shell
# must not leak into a slot.
PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "SSL_CERT_FILE",
    "SYSTEMROOT",
)
CONNECTION_PREFIXES = {
    "sqlazure": "SQLAZURECONNSTR_",
    "sqlserver": "SQLCONNSTR_",
    "mysql": "MYSQLCONNSTR_",
    "postgresql": "POSTGRESQLCONNSTR_",
    "eventhub": "EVENTHUBCONNSTR_",
    "servicebus": "SERVICEBUSCONNSTR_",
    "notificationhub": "NOTIFICATIONHUBCONNSTR_",
    "doccdb": "DOCDBCONNSTR_",
    "docdb": "DOCDBCONNSTR_",
    "rediscache": "REDISCACHECONNSTR_",
}
CUSTOM_PREFIX = "CUSTOMCONNSTR_"


def hostname(slot: Slot, public_host: str) -> str:
    """The public address of a slot, as `host:port`."""
    return f"{public_host}:{slot.site_port}"


def host_environment(
    site: Site, slot: Slot, *, plan: Plan | None, public_host: str, home: Path, internal_token: str
) -> Mapping[str, str]:
    """Return the whole environment of the slot's process; `slot` is the effective one (see swap_rules.effective)."""
    variables = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    for name, connection in slot.connection_strings.items():
        prefix = CONNECTION_PREFIXES.get(connection.type.lower(), CUSTOM_PREFIX)
        variables[f"{prefix}{name}"] = connection.value
        variables[name] = connection.value
    variables |= slot.app_settings  # an app setting wins over a connection string of the same name
    variables |= {
        "WEBSITE_SITE_NAME": site.name,
        "WEBSITE_SLOT_NAME": "Production" if slot.is_production else slot.name,
        "WEBSITE_HOSTNAME": hostname(slot, public_host),
        # The machine's identity: it goes with the code, so that a restarted host takes its own leases up at once, and
        # two hosts that wear the same slot's name in the middle of a swap are still two.
        "WEBSITE_INSTANCE_ID": hashlib.sha256(f"{site.name}/{slot.volume}".encode()).hexdigest(),
        "WEBSITE_RESOURCE_GROUP": site.resource_group,
        "WEBSITE_OWNER_NAME": f"{site.subscription}+{site.resource_group}-{site.location}webspace",
        "WEBSITE_SKU": plan.tier if plan else "Dynamic",
        "REGION_NAME": site.location,
        "AZURE_FUNCTIONS_ENVIRONMENT": slot.app_settings.get("AZURE_FUNCTIONS_ENVIRONMENT", "Production"),
        "AzureWebJobsScriptRoot": str(home / "site" / "wwwroot"),
        "LOCAL_AZURE_INTERNAL_TOKEN": internal_token,
        "LOCAL_AZURE_SCHEME": "http",
        "LOCAL_AZURE_PARENT_PID": str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
    }
    return variables
