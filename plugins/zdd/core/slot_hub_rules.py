"""Slot rules about task hubs: two separate hubs that travel with their code, neither of them the default one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zdd.core.app_settings import AppSettings, configuration_key
from zdd.core.findings import UNREAD, Finding, error, info, warning
from zdd.core.host_json import AZURE_STORAGE, DEFAULT_CONNECTION
from zdd.core.slot_case import Case
from zdd.core.slot_view import CodeBinding, SlotView, deciding_settings, same_hub
from zdd.core.storage_reference import StorageKind
from zdd.exceptions import ZddError

_STORAGE = DEFAULT_CONNECTION


def hubs_are_separate(case: Case) -> bool:
    """True when it is proved that old and new code have two hubs now, in staging, and after the swap."""
    if case.production.is_empty:
        return True
    pairs = [
        (case.production_now, case.package_in_staging),
        (case.after_swap.staging, case.after_swap.production),
    ]
    if not case.staging.is_empty:
        pairs.append((case.production_now, case.staging_now))
    return all(a.binding and b.binding and same_hub(a.binding, b.binding) is False for a, b in pairs)


def unreadable(case: Case) -> Iterator[Finding]:
    """A binding that cannot be told stops the release: nobody could say what to watch."""
    package = case.package is not None
    unread = [view.host_json_error for view in case.both if view.host_json_error]
    for view in case.both:
        if view.host_json_error:
            yield error(UNREAD, f"The deployed host.json of {view.name} could not be read", found=view.host_json_error)
    for code, name, known in (
        (case.production_now, "production", True),
        (case.staging_now, case.staging.name, True),
        (case.package_in_staging, f"the package in {case.staging.name}", package),
    ):
        if known and code.problem and code.problem not in unread:
            yield error("hub-unreadable", f"The task hub of {name} cannot be told", found=code.problem)
        for text in code.warnings if known else ():
            yield warning("hub-warning", f"{name}: {text}")


def default_hub(case: Case) -> Iterator[Finding]:
    """The runtime refuses to start in a slot with the default hub, and after the swap the old code is in a slot."""
    do = "name a hub of its own by an app setting that is not sticky (hubName: %Setting%)"
    if (hub := case.package_in_staging.binding) and hub.is_default_hub_name:
        yield error(
            "default-hub",
            f"The package would use the default task hub in {case.staging.name}",
            expected="a hub name that differs from the default",
            found=f"{hub.hub_name} ({hub.hub_name_source}); the Functions host refuses to start with it in a slot",
            do=do,
        )
    if (hub := case.production_now.binding) and hub.is_default_hub_name:
        yield error(
            "default-hub",
            f"Production uses the default task hub, and its code will be in {case.staging.name} after the swap",
            expected="a hub name that differs from the default",
            found=f"{hub.hub_name} ({hub.hub_name_source}); stragglers could not finish: the host would not start",
            do=do,
        )


def same_hub_twice(case: Case) -> Iterator[Finding]:
    """Old and new code on one hub take each other's work: replays diverge."""
    if case.production.is_empty:
        return
    pairs = [
        (case.production_now, case.package_in_staging, f"production and the package in {case.staging.name}"),
        (case.after_swap.staging, case.after_swap.production, "both slots after the swap"),
    ]
    if not case.staging.is_empty:
        pairs.insert(0, (case.production_now, case.staging_now, f"production and {case.staging.name}"))
    told: set[str] = set()
    for one, other, where in pairs:
        if not one.binding or not other.binding:
            continue
        same = same_hub(one.binding, other.binding)
        found = f"{one.binding.hub_name} and {other.binding.hub_name} in {other.hub}"
        if same and "same" not in told:
            told.add("same")
            yield error(
                "same-hub",
                f"One task hub for {where}",
                expected="another hub name, or another storage account",
                found=found,
                do="give each slot a hub of its own by an app setting that is not sticky",
            )
        elif same is None and "unknown" not in told:
            told.add("unknown")
            yield error(
                "same-hub-unknown",
                f"It cannot be told whether {where} use one task hub: the names are equal",
                expected="two hub names, or two accounts that can be compared",
                found=f"{found} against {one.hub}",
                do="give the hubs different names: then the accounts need not be compared",
            )


def sticky_hub(case: Case) -> Iterator[Finding]:
    """A sticky hub or storage setting binds new code to the old code's hub during and after the swap."""
    names: dict[str, str] = {}
    codes = [(case.production, case.production.host_json), (case.staging, case.staging.host_json)]
    if case.package:
        codes.append((case.staging, case.package.host_json))
    for view, host_json in codes:
        for name in _deciding(host_json, view.settings):
            if not _is_shared_storage(name) and _is_sticky(case, view, name):
                names[configuration_key(name)] = name
    if names:
        yield error(
            "sticky-hub",
            "A setting that decides about the task hub is a deployment slot setting (sticky)",
            expected="hub and storage settings that travel with the code",
            found=", ".join(sorted(names.values())),
            do='take the tick "deployment slot setting" away from them in every slot',
        )


def hub_travels(case: Case) -> Iterator[Finding]:
    """Whatever the reason: code must be bound to the same hub before and after the swap."""
    before_after = [
        (case.package_in_staging, case.after_swap.production, "the package", "production"),
        (case.production_now, case.after_swap.staging, "the code of production", case.staging.name),
    ]
    for before, after, what, where in before_after:
        if not before.binding:
            continue
        same = same_hub(before.binding, after.binding) if after.binding else False
        if same is False:
            yield error(
                "hub-changes-at-swap",
                f"The swap would move {what} to another task hub",
                expected=f"{before.hub} before and after",
                found=f"{after.hub} in {where}",
                do="make the settings that name hub and storage travel with the code (not sticky)",
            )
        elif same is None:
            yield warning(
                "hub-change-unknown",
                f"It cannot be told whether {what} keeps its storage account over the swap",
                expected="accounts that can be compared",
                found=f"{before.hub}, then {after.hub}",
                do="check that no sticky setting names another account",
            )


def hub_storage(case: Case) -> Iterator[Finding]:
    """The setting that host.json names must exist in each slot, and the state must be in Azure Storage."""
    seen: set[str] = set()
    for code, name in (
        (case.production_now, "production"),
        (case.staging_now, case.staging.name),
        (case.package_in_staging, f"the package in {case.staging.name}"),
    ):
        if not code.binding or code.hub + code.binding.storage.setting_name in seen:
            continue
        seen.add(code.hub + code.binding.storage.setting_name)
        if code.binding.storage_provider != AZURE_STORAGE:
            yield error(
                "storage-provider",
                f"{name} keeps its state in {code.binding.storage_provider}",
                expected=f"the storage provider {AZURE_STORAGE}: the drain verdict reads its tables and queues",
                found=code.binding.storage_provider,
                do="use orchestration versioning for this app",
            )
            continue
        for reference in (code.binding.storage, code.binding.tracking_storage):
            if reference and reference.kind is StorageKind.MISSING:
                yield error(
                    "unknown-connection",
                    f"{name}: the storage connection that host.json names does not exist",
                    expected=f"an app setting or connection string {reference.setting_name}",
                    found="none of that name (nor with __accountName or __tableServiceUri)",
                    do="add it to the slot, not as a deployment slot setting",
                )
            elif reference and reference.kind is StorageKind.KEY_VAULT:
                yield warning(
                    "key-vault-connection",
                    f"{name}: {reference.setting_name} is a Key Vault reference",
                    expected="a connection that can be read from outside the app",
                    found="a reference; the drain verdict stays UNKNOWN unless it is resolved",
                    do="use an identity-based connection (X__accountName) or the HTTP API as status source",
                )


def hub_moves(case: Case) -> Iterator[Finding]:
    """A package that brings another hub than staging uses now is told, since the wait watches the old one."""
    now, then = case.staging_now.binding, case.package_in_staging.binding
    if case.package and now and then and same_hub(now, then) is False:
        yield info(
            "hub-moves",
            f"The package uses another task hub than the code that is in {case.staging.name} now",
            found=f"{case.staging_now.hub} now, {case.package_in_staging.hub} then",
            do="nothing: the wait watches the hub of the code that is there; clean up that hub later",
        )


def _deciding(host_json: bytes | None, settings: AppSettings) -> tuple[str, ...]:
    try:
        return deciding_settings(host_json, settings) if host_json else ()
    except ZddError:
        return ()  # told by `unreadable`, which sees the same file


def _is_shared_storage(name: str) -> bool:
    """AzureWebJobsStorage may be sticky: it is the same account in both slots, or `shared_storage` objects."""
    plain = configuration_key(name).removeprefix("connectionstrings:")
    return plain == _STORAGE.lower() or plain.startswith(f"{_STORAGE.lower()}:")


def _is_sticky(case: Case, view: SlotView, name: str) -> bool:
    if case.sticky.holds_setting(name, view.settings):
        return True
    return name in view.connection_strings and case.sticky.holds_connection_string(name)


RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    unreadable,
    sticky_hub,
    default_hub,
    same_hub_twice,
    hub_travels,
    hub_storage,
    hub_moves,
)

__all__ = ["RULES", "CodeBinding", "hubs_are_separate"]
