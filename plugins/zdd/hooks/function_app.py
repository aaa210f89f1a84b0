"""A function app and its slots through the public azure-mgmt-web SDK: what tasks read and what they change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from zdd import settings
from zdd.core.functions import PackageFunction, trigger_kind
from zdd.core.host_json import Bound
from zdd.core.release import Marker
from zdd.core.release_plan import Operation
from zdd.core.slot_view import PRODUCTION, SlotView, StickyNames
from zdd.exceptions import BadInput, Conflict, Unknown, ZddError
from zdd.hooks.arm_reader import explain
from zdd.hooks.azure import AzureHook
from zdd.hooks.slot_reader import HostStatus, SlotName, SlotReader

T = TypeVar("T")


@dataclass(frozen=True)
class SwapStarted:
    """A swap that the Resource Manager has accepted; `token` resumes waiting for it without a second POST."""

    token: str


class SwapDidNotHappen(Unknown):
    """A swap that was accepted ended without switching anything. A retry may try once more."""


class FunctionAppHook:
    """Reads and changes the slots of function apps. Sync, for tasks; the SDK is imported on first use."""

    def __init__(self, azure: AzureHook, client: Any = None) -> None:
        self.azure = azure
        if client is not None:
            self.__dict__["client"] = client

    @cached_property
    def client(self) -> Any:
        """The SDK's client."""
        return self.azure.get_conn()

    @property
    def _apps(self) -> Any:
        return self.client.web_apps

    # --- reading ---------------------------------------------------------------------------------------------------

    def site(self, name: SlotName) -> Any:
        """The site resource of a slot (azure.mgmt.web.models.Site)."""
        with translated(f"reading {name.label}"):
            return self._get(name)

    def _get(self, name: SlotName) -> Any:
        if name.slot:
            return self._apps.get_slot(name.resource_group, name.app, name.slot)
        return self._apps.get(name.resource_group, name.app)

    def exists(self, name: SlotName) -> bool:
        """Whether there is such a slot or app."""
        from azure.core.exceptions import ResourceNotFoundError

        with translated(f"reading {name.label}"):
            try:
                self._get(name)
            except ResourceNotFoundError:
                return False
            return True

    def slots(self, name: SlotName) -> list[str]:
        """Names of the app's slots, production left out."""
        with translated(f"listing the slots of {name.app}"):
            return [str(s.name).split("/")[-1] for s in self._apps.list_slots(name.resource_group, name.app)]

    def app_settings(self, name: SlotName) -> dict[str, str]:
        """The app settings of a slot. Contains secrets: never log or return it from a task."""
        with translated(f"reading the settings of {name.label}"):
            if name.slot:
                found = self._apps.list_application_settings_slot(name.resource_group, name.app, name.slot)
            else:
                found = self._apps.list_application_settings(name.resource_group, name.app)
            return dict(found.properties or {})

    def sticky_names(self, name: SlotName) -> StickyNames:
        """Names of the sticky app settings and connection strings of the app."""
        with translated(f"reading the slot settings of {name.app}"):
            found = self._apps.list_slot_configuration_names(name.resource_group, name.app)
            return StickyNames(frozenset(found.app_setting_names or ()), frozenset(found.connection_string_names or ()))

    def sku(self, name: SlotName) -> str:
        """Tier of the app's plan as the site tells it; empty when it does not."""
        return str(self.site(name).sku or "")

    def auto_swap(self, name: SlotName) -> str | None:
        """The slot that this one swaps into by itself after each deployment, or None."""
        with translated(f"reading the configuration of {name.label}"):
            if name.slot:
                found = self._apps.get_configuration_slot(name.resource_group, name.app, name.slot)
            else:
                found = self._apps.get_configuration(name.resource_group, name.app)
            return found.auto_swap_slot_name or None

    def functions(self, name: SlotName) -> tuple[PackageFunction, ...]:
        """The functions that the host of a slot has indexed."""
        with translated(f"listing the functions of {name.label}"):
            if name.slot:
                found = self._apps.list_instance_functions_slot(name.resource_group, name.app, name.slot)
            else:
                found = self._apps.list_functions(name.resource_group, name.app)
            return tuple(_function(envelope) for envelope in found)

    def marker(self, name: SlotName) -> Marker | None:
        """Which release a slot holds, or None."""
        return Marker.of(self.app_settings(name))

    def host_status(self, name: SlotName) -> HostStatus:
        """What the Functions host of a slot says of itself."""
        return self._read(name, lambda reader: reader.host_status())

    def host_json(self, name: SlotName) -> bytes | None:
        """The deployed host.json, None when there is none."""
        return self._read(name, lambda reader: reader.host_json())

    def read_binding(self, name: SlotName) -> Bound | None:
        """The hub of the code that is deployed in a slot; None when nothing is deployed there."""
        return self._read(name, lambda reader: reader.binding())

    def merged_settings(self, name: SlotName) -> dict[str, str]:
        """App settings and connection strings as the host sees them. Contains secrets."""
        return self._read(name, lambda reader: reader.settings())

    def _read(self, name: SlotName, question: Callable[[SlotReader], Coroutine[Any, Any, T]]) -> T:
        async def ask() -> T:
            async with self.azure.reader() as arm:
                return await question(SlotReader(arm, name))

        return asyncio.run(ask())

    def slot_view(self, name: SlotName) -> SlotView | None:
        """Everything that the slot rules judge; None when there is no such slot. Contains secrets (not in its repr)."""
        from azure.core.exceptions import ResourceNotFoundError

        with translated(f"reading {name.label}"):
            try:
                site = self._get(name)
            except ResourceNotFoundError:
                return None
        with translated(f"reading {name.label}"):
            if name.slot:
                strings = self._apps.list_connection_strings_slot(name.resource_group, name.app, name.slot)
            else:
                strings = self._apps.list_connection_strings(name.resource_group, name.app)
        host_json, problem = None, None
        try:
            host_json = self.host_json(name)
        except ZddError as error:
            problem = str(error)
        return SlotView(
            name=name.slot or PRODUCTION,
            state=str(site.state or "unknown"),
            app_settings=self.app_settings(name),
            connection_strings={key: str(entry.value or "") for key, entry in (strings.properties or {}).items()},
            host_json=host_json,
            host_json_error=problem,
            functions=self.functions(name),
            auto_swap_slot=self.auto_swap(name),
            preview_with=site.target_swap_slot or None,
        )

    # --- changing --------------------------------------------------------------------------------------------------

    def set_app_settings(self, name: SlotName, change: Mapping[str, str]) -> bool:
        """Set some app settings of a slot, the others as they are. False when they were so already (no restart then).

        Azure replaces the whole set, so it is read first; nothing that was there is lost.
        """
        current = self.app_settings(name)
        if all(current.get(key) == value for key, value in change.items()):
            return False
        body = {"properties": current | dict(change)}
        with translated(f"changing the settings of {name.label}"):
            if name.slot:
                self._apps.update_application_settings_slot(name.resource_group, name.app, name.slot, body)
            else:
                self._apps.update_application_settings(name.resource_group, name.app, body)
        return True

    def reset_preview(self, name: SlotName) -> None:
        """Undo a swap with preview that was begun and neither completed nor reset: it blocks every change."""
        with translated(f"resetting the swap preview of {name.label}"):
            if name.slot:
                self._apps.reset_slot_configuration_slot(name.resource_group, name.app, name.slot)
            else:
                self._apps.reset_production_slot_config(name.resource_group, name.app)

    def start_swap(self, name: SlotName) -> SwapStarted:
        """Begin to swap a slot into production. Raises Conflict while another operation works on the app."""
        if not name.slot:
            raise BadInput("Production cannot be swapped with itself", expected="a slot", found="production")
        with translated(f"swapping {name.label} into production"):
            body = {"targetSlot": "production", "preserveVnet": True}
            poller = self._apps.begin_swap_slot(name.resource_group, name.app, name.slot, body)
            return SwapStarted(poller.continuation_token())

    def await_swap(self, name: SlotName, started: SwapStarted) -> None:
        """Wait for a swap that was started, by this process or by one before it, without starting another.

        :raises SwapDidNotHappen: Azure gave it up or does not know it any more; nothing was switched.
        :raises Unknown: its end was not seen.
        """
        from azure.core.exceptions import HttpResponseError

        with translated(f"waiting for the swap of {name.label}"):
            body = {"targetSlot": "production", "preserveVnet": True}
            poller = self._apps.begin_swap_slot(
                name.resource_group, name.app, name.slot, body, continuation_token=started.token
            )
            try:
                poller.result(settings.deployment_timeout().total_seconds())
            except HttpResponseError as error:
                if str(poller.status()).lower() in ("failed", "canceled", "cancelled") or error.status_code == 404:
                    raise SwapDidNotHappen(
                        f"Azure gave up the swap of {name.label}",
                        expected="a swap that ends well",
                        found=_first_line(error),
                        do="the retry tries once more; does the slot's host come up with production's settings?",
                    ) from error
                raise
            if not poller.done():
                raise Unknown(
                    f"The swap of {name.label} has not ended",
                    expected=f"an end within {settings.deployment_timeout()}",
                    found=f"status {poller.status()}",
                    do="it is looked at again by the retry",
                )

    def operation(self, name: SlotName) -> Operation:
        """Whether an operation (a swap above all) works on the app now."""
        sites = [self.site(name), self.site(SlotName(name.resource_group, name.app))]
        return Operation.RUNNING if any(site.in_progress_operation_id for site in sites) else Operation.NONE

    def wait_until_idle(self, name: SlotName, sleep: Callable[[float], None] = time.sleep) -> None:
        """Wait until no operation works on the app any more: then its markers say what came of one nobody saw end."""
        deadline = time.monotonic() + settings.deployment_timeout().total_seconds()
        while self.operation(name) is Operation.RUNNING:
            if time.monotonic() > deadline:
                raise Unknown(
                    f"An operation on {name.app} does not end",
                    expected="no operation in progress",
                    found=f"one for more than {settings.deployment_timeout()}",
                    do="look at the app in the portal; the retry looks again",
                )
            sleep(settings.arm_poll_seconds())


def _function(envelope: Any) -> PackageFunction:
    config = envelope.config or {}
    bindings = config.get("bindings") or () if isinstance(config, Mapping) else ()
    triggers = [binding for binding in bindings if str(binding.get("type", "")).lower().endswith("trigger")]
    name = str(envelope.name or "").split("/")[-1]
    return PackageFunction(
        name, str(triggers[0].get("type")) if triggers else "", "host", disabled=bool(envelope.is_disabled)
    )


def durable_names(functions: tuple[PackageFunction, ...]) -> tuple[str, ...]:
    """Names of the functions that a task hub starts."""
    return tuple(function.name for function in functions if trigger_kind(function.trigger).is_durable)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn the SDK's errors into ours, saying what was being done."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    try:
        yield
    except ZddError:
        raise
    except ClientAuthenticationError as error:
        raise BadInput(
            f"Azure refused the connection's identity while {doing}",
            found=_first_line(error),
            do="check client id, secret and tenant of the azure connection",
        ) from error
    except HttpResponseError as error:
        status = error.status_code or 0
        if status == 409:
            raise Conflict(
                f"Azure is busy: {doing} was refused",
                expected="no other operation on the app",
                found=f"HTTP 409: {_first_line(error)}",
                do="the retry waits for it; end the other deployment or swap if it is stuck",
            ) from error
        request: Any = error.response.request if error.response is not None else None
        method, url = (str(request.method), str(request.url)) if request is not None else ("call", "")
        cause = explain(method, url, status, _first_line(error))
        raise type(cause)(f"Failed {doing}: {cause}") from error
    except AzureError as error:
        raise Unknown(f"No answer while {doing}", found=_first_line(error), do="it is tried again") from error


def _first_line(error: Any) -> str:
    return (str(getattr(error, "message", "") or error).strip().splitlines() or ["no message"])[0][:300]
