"""Slot rules about functions: entities lose their state, other triggers run in staging, a handover needs proof."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from zdd.core.app_settings import configuration_key
from zdd.core.findings import Finding, error, info, warning
from zdd.core.functions import PackageFunction, TriggerKind
from zdd.core.slot_case import Case
from zdd.core.slot_hub_rules import hubs_are_separate

_SHOWN = 10


def entities(case: Case) -> Iterator[Finding]:
    """Entities keep their state in the hub, and each release changes the hub."""
    holders = [("The package", case.package.functions if case.package else ())]
    holders.append(("Production", case.production.functions))
    for who, functions in holders:
        names = [f.durable_name for f in functions if f.kind is TriggerKind.ENTITY]
        if not names:
            continue
        make = warning if case.policy.accept_entity_loss else error
        yield make(
            "entities",
            f"{who} has entity functions, and entities do not survive the change of the task hub",
            expected="no entity functions, or entities: accept-loss",
            found=_listed(names),
            do="use application routing or name-based versioning, or accept that entities start empty",
        )


def other_triggers(case: Case) -> Iterator[Finding]:
    """Queue, timer and other triggers take production's work as soon as a host in staging runs them."""
    if case.package is None:
        return
    awake, asleep, off_everywhere = [], [], []
    for function in case.package.running_by_themselves:
        name = _disabling_setting(case, function)
        if name is None:
            awake.append(function)
        elif case.sticky.holds_setting(name, case.staging.settings):
            asleep.append(function)
        else:
            off_everywhere.append(function)
    if awake:
        make = warning if case.policy.accept_other_triggers else error
        yield make(
            "other-triggers",
            f"Functions of the package would start to work in {case.staging.name}, before the swap",
            expected="HTTP and durable triggers only, or other_triggers: accept",
            found=_listed(f"{f.name} ({f.trigger or 'unknown trigger'})" for f in awake),
            do=f"disable them in {case.staging.name} by sticky settings AzureWebJobs.<function>.Disabled, or accept it",
        )
    if asleep:
        yield warning(
            "wakes-in-swap",
            "Functions that are disabled in staging wake up in the first phase of the swap, before the switch",
            expected="work that two versions may do at once",
            found=_listed(f.name for f in asleep),
            do="nothing, if their work can be done twice or by the new version early",
        )
    if off_everywhere:
        yield warning(
            "disabled-travels",
            "Functions are disabled by a setting that travels: they would be disabled in production too",
            expected="AzureWebJobs.<function>.Disabled as a deployment slot setting",
            found=_listed(f.name for f in off_everywhere),
            do="make these settings sticky, or enable the functions after the swap",
        )


def not_told(case: Case) -> Iterator[Finding]:
    """What cannot be told about a package is refused like what it may be, unless it is accepted."""
    if case.package and case.package.unknown:
        accepted = case.policy.accept_other_triggers and case.policy.accept_entity_loss
        make = warning if accepted else error
        yield make(
            "functions-unknown",
            "Not all functions of the package can be told without running it",
            expected="functions that are declared by function.json, functions.metadata or plain decorators",
            found=_listed(case.package.unknown),
            do="declare them plainly, or accept entities and other triggers by entities and other_triggers",
        )


def package_warnings(case: Case) -> Iterator[Finding]:
    """What looked wrong in the package."""
    for text in case.package.warnings if case.package else ():
        yield warning("package", text)


def handover(case: Case) -> Iterator[Finding]:
    """Old code that still has work may be swapped out only with a hub of its own and events that still find it."""
    if not case.policy.may_hand_over or case.production.is_empty:
        return
    if not hubs_are_separate(case):
        yield error(
            "handover-hubs",
            "A handover needs two task hubs that are proved to be separate",
            expected="two hub names, or two accounts, now and after the swap",
            found=f"{case.production_now.hub} and {case.package_in_staging.hub}",
            do="separate the hubs, or use before_swap: drained with on_drain_deadline: fail",
        )
    if not case.policy.events_reach_staging:
        yield error(
            "handover-events",
            "A handover leaves instances in staging, and external events must still find them",
            expected="events_reach_staging: true, set by somebody who knows the clients",
            found="false",
            do="see that clients use the management URLs that the start gave them, then set the parameter",
        )
    elif hubs_are_separate(case):
        accounts = {
            code.binding.storage.account for code in (case.production_now, case.package_in_staging) if code.binding
        }
        if len(accounts) > 1:
            yield info(
                "handover-two-accounts",
                f"With two storage accounts stragglers can be reached through {case.staging.name} only",
                do=f"tell clients the host name of {case.staging.name}; the report lists the stragglers",
            )


def _disabling_setting(case: Case, function: PackageFunction) -> str | None:
    """The setting that disables a function in staging; `-` and `.` of its name may be written as `__` on Linux."""
    names = {
        configuration_key(f"AzureWebJobs.{function.name}.Disabled"),
        configuration_key(f"AzureWebJobs__{function.name}__Disabled"),
        configuration_key(f"AzureWebJobs.{function.name.replace('-', '__')}.Disabled"),
    }
    for name, value in case.staging.app_settings.items():
        if configuration_key(name) in names and value.strip().lower() in ("true", "1"):
            return name
    return None


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    entities,
    other_triggers,
    not_told,
    package_warnings,
    handover,
)
