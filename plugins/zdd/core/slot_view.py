"""A slot as the rules see it, and where its code will be bound after a swap: settings travel except the sticky ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zdd.core.app_settings import AppSettings, configuration_key, merge_settings
from zdd.core.functions import PackageFunction
from zdd.core.host_json import DEFAULT_CONNECTION, Bound, TaskHubBinding, bind_task_hub
from zdd.core.host_json_keys import read_host_json
from zdd.core.storage_reference import same_account
from zdd.exceptions import ZddError

PRODUCTION = "production"
_HUB_OVERRIDES = "AzureFunctionsJobHost__extensions__durableTask"
_KEEP_DEFAULTS = "WEBSITE_OVERRIDE_PRESERVE_DEFAULT_STICKY_SLOT_SETTINGS"


@dataclass(frozen=True)
class StickyNames:
    """Names of the settings that stay with their slot over a swap (slotConfigNames of the site)."""

    app_settings: frozenset[str] = frozenset()
    connection_strings: frozenset[str] = frozenset()

    def holds_setting(self, name: str, settings: AppSettings) -> bool:
        """Whether an app setting stays; `*_EXTENSION_VERSION` does by default."""
        if configuration_key(name) in {configuration_key(sticky) for sticky in self.app_settings}:
            return True
        return name.upper().endswith("_EXTENSION_VERSION") and settings.get(_KEEP_DEFAULTS) != "0"

    def holds_connection_string(self, name: str) -> bool:
        """Whether a connection string stays."""
        return name.lower() in {sticky.lower() for sticky in self.connection_strings}


@dataclass(frozen=True)
class SlotView:
    """What was read of one slot. `host_json` is the deployed one; None with no error: nothing is deployed."""

    name: str
    state: str = "Running"
    app_settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    connection_strings: Mapping[str, str] = field(default_factory=dict, repr=False)
    host_json: bytes | None = field(default=None, repr=False)
    host_json_error: str | None = None
    functions: tuple[PackageFunction, ...] = ()
    auto_swap_slot: str | None = None
    # The slot that a swap with preview was begun with and neither completed nor reset (`targetSwapSlot` of the site).
    preview_with: str | None = None

    @property
    def settings(self) -> AppSettings:
        """App settings and connection strings as the host sees them."""
        return AppSettings(merge_settings(self.app_settings, self.connection_strings))

    @property
    def is_production(self) -> bool:
        """True for the production slot."""
        return self.name.lower() == PRODUCTION

    @property
    def is_empty(self) -> bool:
        """True when no code is deployed here, as far as was told."""
        return self.host_json is None and self.host_json_error is None


@dataclass(frozen=True)
class CodeBinding:
    """The hub that some code uses under some settings, or why that cannot be told."""

    binding: TaskHubBinding | None = None
    warnings: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def hub(self) -> str:
        """For messages: hub and account, or the problem."""
        return self.binding.fingerprint() if self.binding else self.problem or "nothing deployed"


@dataclass(frozen=True)
class AfterSwap:
    """Bindings after a swap, by the slot that the code will then be in."""

    production: CodeBinding
    staging: CodeBinding


def bind_code(
    host_json: bytes | None, settings: Mapping[str, str], *, site_name: str, slot: SlotView, problem: str | None = None
) -> CodeBinding:
    """Like `bind_task_hub`, with a refusal as data."""
    if host_json is None:
        return CodeBinding(problem=problem)
    try:
        bound: Bound = bind_task_hub(
            host_json, settings, site_name=site_name, slot_name=None if slot.is_production else slot.name
        )
    except ZddError as error:
        return CodeBinding(problem=str(error))
    return CodeBinding(bound.binding, bound.warnings)


def bind_slot(view: SlotView, *, site_name: str, host_json: bytes | None = None) -> CodeBinding:
    """The hub of the code in a slot, or of other code (`host_json`) when it comes to be there."""
    settings = merge_settings(view.app_settings, view.connection_strings)
    return bind_code(
        host_json or view.host_json, settings, site_name=site_name, slot=view, problem=view.host_json_error
    )


def settings_after_swap(code_from: SlotView, into: SlotView, sticky: StickyNames) -> dict[str, str]:
    """Merged settings under which the code of one slot runs in the other: its own, with the other's sticky ones."""
    own, there = code_from.settings, into.settings
    app = {n: v for n, v in code_from.app_settings.items() if not sticky.holds_setting(n, own)}
    app |= {n: v for n, v in into.app_settings.items() if sticky.holds_setting(n, there)}
    strings = {n: v for n, v in code_from.connection_strings.items() if not sticky.holds_connection_string(n)}
    strings |= {n: v for n, v in into.connection_strings.items() if sticky.holds_connection_string(n)}
    return merge_settings(app, strings)


def predict_after_swap(
    production: SlotView, staging: SlotView, sticky: StickyNames, *, site_name: str, package: bytes | None = None
) -> AfterSwap:
    """Which hub each slot is bound to once staging and production have been swapped.

    :param package: host.json of the package that will have been deployed to staging by then; None: what is there now.
    """
    incoming, outgoing = (
        settings_after_swap(staging, production, sticky),
        settings_after_swap(production, staging, sticky),
    )
    return AfterSwap(
        production=bind_code(
            package or staging.host_json,
            incoming,
            site_name=site_name,
            slot=production,
            problem=staging.host_json_error,
        ),
        staging=bind_code(
            production.host_json, outgoing, site_name=site_name, slot=staging, problem=production.host_json_error
        ),
    )


def same_hub(one: TaskHubBinding, other: TaskHubBinding) -> bool | None:
    """Whether two bindings are one hub: same name (case ignored) and same account. None when that cannot be told."""
    if one.hub_name.lower() != other.hub_name.lower():
        return False
    return same_account(one.storage, other.storage)


def deciding_settings(host_json: bytes, settings: AppSettings) -> tuple[str, ...]:
    """Names of the settings that decide about the hub of this host.json: its name, its storage, the tracking store.

    Raises as `read_host_json` does.
    """
    host = read_host_json(host_json, settings)
    names = list(settings.names_at(_HUB_OVERRIDES))
    hub = host.text("hub name")
    if hub and len(hub) > 2 and hub.startswith("%") and hub.endswith("%"):
        names += settings.names_at(hub[1:-1])
    for connection in (host.text("connection") or DEFAULT_CONNECTION, host.text("tracking connection")):
        for section in ("", "ConnectionStrings:") if connection else ():
            names += settings.names_at(f"{section}{connection}")
            names += settings.names_at(f"{section}AzureWebJobs{connection}")
    return tuple(dict.fromkeys(names))
