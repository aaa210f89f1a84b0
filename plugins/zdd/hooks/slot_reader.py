"""Async reading of one slot through the light Resource Manager client: settings, deployed host.json, host status, keys.

Triggers, sensors and operators all read a slot's hub through this one file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk.log import mask_secret

from zdd.core.functions import PackageFunction, trigger_kind
from zdd.core.host_json import Bound, bind_task_hub, merge_settings
from zdd.exceptions import BadInput, Unknown
from zdd.hooks.arm_reader import ArmReader, NotThere

PRODUCTION = "production"
HOST_JSON = "/hostruntime/admin/vfs/site/wwwroot/host.json"
DURABLE_KEY = "durabletask_extension"


@dataclass(frozen=True)
class SlotName:
    """One slot of one function app; `slot` is None for production."""

    resource_group: str
    app: str
    slot: str | None = None

    @property
    def label(self) -> str:
        """The slot's name for people."""
        return f"{self.app}/{self.slot or PRODUCTION}"

    def path(self, subscription_id: str) -> str:
        """Resource id below the Resource Manager."""
        site = f"/subscriptions/{subscription_id}/resourceGroups/{self.resource_group}/providers/Microsoft.Web/sites"
        return f"{site}/{self.app}" + (f"/slots/{self.slot}" if self.slot else "")


def slot_name(resource_group: str, app: str, slot: str | None) -> SlotName:
    """Build a SlotName from what a person wrote; `production` and nothing are the same."""
    wanted = (slot or "").strip()
    return SlotName(resource_group.strip(), app.strip(), None if wanted.lower() in ("", PRODUCTION) else wanted)


@dataclass(frozen=True)
class HostStatus:
    """What the Functions host says of itself."""

    state: str
    errors: tuple[str, ...] = ()
    version: str = ""

    @property
    def is_running(self) -> bool:
        """True once functions are served."""
        return self.state.lower() == "running"


class SlotReader:
    """Reads one slot. Changes nothing; secrets that it reads are masked at once and stay in memory."""

    def __init__(self, arm: ArmReader, name: SlotName) -> None:
        self.arm = arm
        self.name = name
        self._path = name.path(arm.account.subscription_id)

    async def site(self) -> Mapping[str, Any]:
        """The site resource: state, host names, settings that are no secret."""
        found = await self.arm.get(self._path)
        return dict(found.get("properties") or {}) | {"name": found.get("name", "")}

    async def app_settings(self) -> dict[str, str]:
        """The app settings. Values may be secrets: those that look like one are masked in logs from here on."""
        found = await self.arm.list_secrets(f"{self._path}/config/appsettings/list")
        return _masked({name: str(value) for name, value in (found.get("properties") or {}).items()})

    async def connection_strings(self) -> dict[str, str]:
        """The connection strings by name."""
        found = await self.arm.list_secrets(f"{self._path}/config/connectionstrings/list")
        entries = (found.get("properties") or {}).items()
        return _masked({name: str((entry or {}).get("value") or "") for name, entry in entries})

    async def settings(self) -> dict[str, str]:
        """App settings and connection strings as the host sees them."""
        app, connections = await asyncio.gather(self.app_settings(), self.connection_strings())
        return merge_settings(app, connections)

    async def host_json(self) -> bytes | None:
        """The deployed host.json; None when both ways to it say that there is none. Raises Unknown otherwise."""
        try:
            return await self.arm.get_bytes(f"{self._path}{HOST_JSON}")
        except NotThere:
            pass
        except Unknown:
            # The host runtime answers only while the host does; the deployment endpoint is another process.
            return await self._host_json_at_deployment_endpoint()
        try:
            return await self._host_json_at_deployment_endpoint()
        except NotThere:
            return None

    async def _host_json_at_deployment_endpoint(self) -> bytes:
        host = deployment_host(await self.site(), self.name)
        return await self.arm.get_bytes(f"{self.arm.account.scheme}://{host}/api/vfs/site/wwwroot/host.json")

    async def host_status(self) -> HostStatus:
        """What the host says of itself, through the Resource Manager."""
        found = await self.arm.get(f"{self._path}/hostruntime/admin/host/status")
        body = found.get("properties", found) if isinstance(found, Mapping) else {}
        return HostStatus(
            str(body.get("state") or "unknown"),
            tuple(str(error) for error in body.get("errors") or ()),
            str(body.get("version") or ""),
        )

    async def functions(self) -> tuple[PackageFunction, ...]:
        """The functions that the host has indexed, by trigger."""
        found = await self.arm.get(f"{self._path}/functions")
        return tuple(_function(entry) for entry in found.get("value") or ())

    async def binding(self) -> Bound | None:
        """The task hub of the code that is deployed here; None when nothing is deployed.

        :raises BadInput: a person must correct host.json or the settings.
        :raises Unknown: something could not be read.
        """
        host_json, settings = await asyncio.gather(self.host_json(), self.settings())
        if host_json is None:
            functions = await self.functions()
            if functions:
                raise Unknown(
                    f"The deployed host.json of {self.name.label} cannot be read",
                    expected="host.json beside the functions that run there",
                    found=f"{len(functions)} functions and no file",
                    do="look at the deployment of that slot",
                )
            return None
        return bind_task_hub(host_json, settings, site_name=self.name.app, slot_name=self.name.slot)

    async def has_durable_functions(self) -> bool:
        """Whether the code that is deployed here could use a task hub at all."""
        return any(trigger_kind(function.trigger).is_durable for function in await self.functions())

    async def key(self, kind: str, name: str) -> str:
        """A host key (`systemKeys` or `functionKeys`), masked. Raises BadInput when there is none of that name."""
        found = await self.arm.list_secrets(f"{self._path}/host/default/listkeys")
        value = (found.get(kind) or {}).get(name)
        if not value:
            raise BadInput(
                f"{self.name.label} has no key {name}",
                expected=f"{kind}.{name}",
                found=", ".join(found.get(kind) or {}) or "no keys",
                do="deploy an app with durable functions, or choose another status source",
            )
        mask_secret(value)
        return str(value)


def deployment_host(site: Mapping[str, Any], name: SlotName) -> str:
    """Host name of the deployment endpoint, as the site itself says it: it is never composed."""
    for state in site.get("hostNameSslStates") or ():
        if str(state.get("hostType")).lower() == "repository" and state.get("name"):
            return str(state["name"])
    raise BadInput(
        f"{name.label} has no deployment endpoint",
        expected="a host name of type Repository",
        found="none",
        do="Linux Consumption apps have none: use another plan",
    )


def _function(entry: Mapping[str, Any]) -> PackageFunction:
    properties = entry.get("properties") or {}
    name = str(properties.get("name") or str(entry.get("name") or "").split("/")[-1])
    bindings = (properties.get("config") or {}).get("bindings") or ()
    triggers = [binding for binding in bindings if str(binding.get("type", "")).lower().endswith("trigger")]
    trigger = triggers[0] if triggers else {}
    durable = trigger.get("orchestration") or trigger.get("activity") or trigger.get("entityName") or name
    return PackageFunction(
        name, str(trigger.get("type") or ""), "host", str(durable), bool(properties.get("isDisabled"))
    )


def _masked(settings: dict[str, str]) -> dict[str, str]:
    for value in settings.values():
        # Names and numbers would black out half of the log; keys, connection strings and SAS are long.
        if len(value) >= 20 and ("=" in value or ";" in value):
            mask_secret(value)
            for part in value.split(";"):
                if part.lower().startswith(("accountkey=", "sharedaccesssignature=")):
                    mask_secret(part.partition("=")[2])
    return settings
