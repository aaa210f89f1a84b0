"""The slot rules: a table of cases, each a change to two slots that are right, and what must be said about it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from zdd.core.functions import PackageFunction
from zdd.core.package import PackageReport
from zdd.core.slots import SlotPlan, SlotPolicy, SlotView, StickyNames, check_slots, predict_after_swap
from zdd.exceptions import BadInput, Unknown

SHARED = "DefaultEndpointsProtocol=https;AccountName=keys;AccountKey=c2VjcmV0a2V5;EndpointSuffix=core.windows.net"
HUB_STORE = "DefaultEndpointsProtocol=https;AccountName=hubs;AccountKey=c2VjcmV0a2V5;EndpointSuffix=core.windows.net"
HOST_JSON = json.dumps(
    {
        "version": "2.0",
        "extensions": {"durableTask": {"hubName": "%Hub%", "storageProvider": {"connectionName": "HubStore"}}},
    }
).encode()
WARM = {"WEBSITE_SWAP_WARMUP_PING_PATH": "/", "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200,202"}


def settings(hub: str, **more: str) -> dict[str, str]:
    return {"AzureWebJobsStorage": SHARED, "HubStore": HUB_STORE, "Hub": hub, **WARM, **more}


def without(view: SlotView, name: str) -> SlotView:
    return dataclasses.replace(view, app_settings={n: v for n, v in view.app_settings.items() if n != name})


def with_settings(view: SlotView, **more: str) -> SlotView:
    return dataclasses.replace(view, app_settings={**view.app_settings, **more})


PRODUCTION = SlotView("production", app_settings=settings("OrdersBlue"), host_json=HOST_JSON)
STAGING = SlotView("staging", app_settings=settings("OrdersGreen"), host_json=HOST_JSON)
FUNCTIONS = (PackageFunction("order", "orchestrationTrigger", "function_app.py"),)
PACKAGE = PackageReport("ab" * 32, 1, 1, 1, HOST_JSON, FUNCTIONS)


NOT_STICKY = StickyNames()
SAFE = SlotPolicy()


@dataclasses.dataclass(frozen=True)
class Given:
    production: SlotView | None = PRODUCTION
    staging: SlotView | None = STAGING
    sticky: StickyNames = NOT_STICKY
    package: PackageReport | None = PACKAGE
    policy: SlotPolicy = SAFE
    sku: str = "EP1"
    site_name: str = "orders"

    def plan(self) -> SlotPlan:
        return check_slots(
            self.production,
            self.staging,
            self.sticky,
            site_name=self.site_name,
            sku=self.sku,
            package=self.package,
            policy=self.policy,
        )


def given(**changes: Any) -> Given:
    return dataclasses.replace(Given(), **changes)


def package(*functions: tuple[str, str], **changes: Any) -> PackageReport:
    made = tuple(PackageFunction(name, trigger, "function_app.py") for name, trigger in functions)
    return dataclasses.replace(PACKAGE, functions=FUNCTIONS + made, **changes)


def host_json(**durable: Any) -> bytes:
    return json.dumps({"version": "2.0", "extensions": {"durableTask": durable}}).encode()


ENTITY = package(("stock", "entityTrigger"))
TIMER = package(("nightly", "timerTrigger"))
DEFAULTS = host_json(storageProvider={"connectionName": "HubStore"})
OTHER_ACCOUNT = HUB_STORE.replace("hubs", "hubsgreen")
KEY_VAULT = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/%s)"

REFUSED = [
    ("no app", given(production=None), "app-missing", "orders"),
    ("no slot", given(staging=None), "slot-missing", "a slot staging"),
    ("no slot on Consumption", given(staging=None, sku="Y1"), "slot-missing", "allows 2 with production"),
    ("Flex has no slots", given(staging=None, sku="FC1"), "plan-without-slots", "no deployment slots"),
    ("Basic has no slots", given(staging=None, sku="B1"), "plan-without-slots", "plan B1"),
    ("slot is production", given(staging=PRODUCTION), "slot-is-production", "production itself"),
    (
        "staging stopped",
        given(staging=dataclasses.replace(STAGING, state="Stopped")),
        "slot-stopped",
        "staging does not run",
    ),
    (
        "production stopped",
        given(production=dataclasses.replace(PRODUCTION, state="Stopped")),
        "slot-stopped",
        "production does not run",
    ),
    (
        "auto swap in staging",
        given(staging=dataclasses.replace(STAGING, auto_swap_slot="production")),
        "auto-swap",
        "turn auto swap off",
    ),
    (
        "storage differs",
        given(staging=with_settings(STAGING, AzureWebJobsStorage=SHARED.replace("keys", "other"))),
        "storage-differs",
        "keys in production, other in staging",
    ),
    ("no storage", given(staging=without(STAGING, "AzureWebJobsStorage")), "storage-missing", "staging has no"),
    (
        "same hub",
        given(staging=with_settings(STAGING, Hub="OrdersBlue")),
        "same-hub",
        "production and staging",
    ),
    ("same hub, other case", given(staging=with_settings(STAGING, Hub="ORDERSBLUE")), "same-hub", "ORDERSBLUE"),
    (
        "same hub in the package only",
        given(
            package=dataclasses.replace(
                PACKAGE, host_json=host_json(hubName="OrdersBlue", storageProvider={"connectionName": "HubStore"})
            )
        ),
        "same-hub",
        "the package in staging",
    ),
    (
        "same name, accounts not comparable",
        given(
            production=with_settings(PRODUCTION, Hub="Orders", HubStore=KEY_VAULT % "a"),
            staging=with_settings(STAGING, Hub="Orders", HubStore=KEY_VAULT % "b"),
        ),
        "same-hub-unknown",
        "the names are equal",
    ),
    ("sticky hub name", given(sticky=StickyNames(frozenset({"Hub"}))), "sticky-hub", "found: Hub"),
    ("sticky hub name, other case", given(sticky=StickyNames(frozenset({"HUB"}))), "sticky-hub", "found: Hub"),
    ("sticky storage", given(sticky=StickyNames(frozenset({"HubStore"}))), "sticky-hub", "HubStore"),
    (
        "sticky connection string",
        given(
            production=dataclasses.replace(without(PRODUCTION, "HubStore"), connection_strings={"HubStore": HUB_STORE}),
            staging=dataclasses.replace(without(STAGING, "HubStore"), connection_strings={"HubStore": HUB_STORE}),
            sticky=StickyNames(connection_strings=frozenset({"hubstore"})),
        ),
        "sticky-hub",
        "HubStore",
    ),
    (
        "sticky override",
        given(
            staging=with_settings(STAGING, AzureFunctionsJobHost__extensions__durableTask__hubName="Green2"),
            sticky=StickyNames(frozenset({"AzureFunctionsJobHost__extensions__durableTask__hubName"})),
        ),
        "sticky-hub",
        "AzureFunctionsJobHost__extensions__durableTask__hubName",
    ),
    (
        "sticky identity part",
        given(
            staging=with_settings(without(STAGING, "HubStore"), HubStore__accountName="hubs"),
            sticky=StickyNames(frozenset({"HubStore__accountName"})),
        ),
        "sticky-hub",
        "HubStore__accountName",
    ),
    (
        "sticky hub moves at the swap",
        given(sticky=StickyNames(frozenset({"Hub"}))),
        "hub-changes-at-swap",
        "hub=ordersblue",
    ),
    (
        "package uses the default hub",
        given(package=dataclasses.replace(PACKAGE, host_json=DEFAULTS)),
        "default-hub",
        "refuses to start",
    ),
    (
        "hub named like the default",
        given(staging=with_settings(STAGING, Hub="Orders"), package=PACKAGE),
        "default-hub",
        "found: Orders",
    ),
    (
        "production uses the default hub",
        given(production=dataclasses.replace(PRODUCTION, host_json=DEFAULTS)),
        "default-hub",
        "stragglers",
    ),
    ("connection setting unknown", given(staging=without(STAGING, "HubStore")), "unknown-connection", "HubStore"),
    ("hub setting missing", given(staging=without(STAGING, "Hub")), "hub-unreadable", "'Hub'"),
    (
        "host.json of staging unreadable",
        given(staging=dataclasses.replace(STAGING, host_json=None, host_json_error="403 from the file API")),
        "unread",
        "403 from the file API",
    ),
    (
        "other storage provider",
        given(
            package=dataclasses.replace(PACKAGE, host_json=host_json(hubName="x", storageProvider={"type": "mssql"}))
        ),
        "storage-provider",
        "mssql",
    ),
    ("entities", given(package=ENTITY), "entities", "accept-loss"),
    (
        "entities in production",
        given(production=dataclasses.replace(PRODUCTION, functions=ENTITY.functions)),
        "entities",
        "Production has entity functions",
    ),
    ("timer", given(package=TIMER), "other-triggers", "nightly (timerTrigger)"),
    ("unknown trigger", given(package=package(("odd", ""))), "other-triggers", "odd (unknown trigger)"),
    ("functions not told", given(package=package(unknown=("computed",))), "functions-unknown", "computed"),
    (
        "host versions differ",
        given(staging=with_settings(STAGING, FUNCTIONS_EXTENSION_VERSION="~3")),
        "host-version-differs",
        "not set in production, ~3 in staging",
    ),
    (
        "package from a URL",
        given(staging=with_settings(STAGING, WEBSITE_RUN_FROM_PACKAGE="https://a/b.zip?sig=x")),
        "run-from-url",
        "set WEBSITE_RUN_FROM_PACKAGE to 1",
    ),
    ("sticky marker", given(sticky=StickyNames(frozenset({"zdd_release_id"}))), "sticky-marker", "ZDD_RELEASE_ID"),
    (
        "handover on one hub",
        given(
            staging=with_settings(STAGING, Hub="OrdersBlue"),
            policy=SlotPolicy.from_params(before_swap="handover", events_reach_staging=True),
        ),
        "handover-hubs",
        "proved to be separate",
    ),
    (
        "handover without events",
        given(policy=SlotPolicy.from_params(on_drain_deadline="handover")),
        "handover-events",
        "events_reach_staging",
    ),
]

WARNED = [
    ("no warm-up path", given(staging=without(STAGING, "WEBSITE_SWAP_WARMUP_PING_STATUSES")), "warm-up", "a 503 too"),
    (
        "preview left over",
        given(production=dataclasses.replace(PRODUCTION, preview_with="staging")),
        "preview-left-over",
        "never completed",
    ),
    (
        "entities accepted",
        given(package=ENTITY, policy=SlotPolicy.from_params(entities="accept-loss")),
        "entities",
        "stock",
    ),
    (
        "timer accepted",
        given(package=TIMER, policy=SlotPolicy.from_params(other_triggers="accept")),
        "other-triggers",
        "nightly",
    ),
    (
        "timer asleep in staging",
        given(
            package=TIMER,
            staging=with_settings(STAGING, **{"AzureWebJobs.nightly.Disabled": "true"}),
            sticky=StickyNames(frozenset({"AzureWebJobs.nightly.Disabled"})),
        ),
        "wakes-in-swap",
        "before the switch",
    ),
    (
        "timer disabled everywhere",
        given(package=TIMER, staging=with_settings(STAGING, **{"AzureWebJobs.nightly.Disabled": "1"})),
        "disabled-travels",
        "in production too",
    ),
    (
        "keys in files",
        given(staging=with_settings(STAGING, AzureWebJobsSecretStorageType="Files")),
        "keys-in-files",
        "resets the keys",
    ),
    (
        "shared storage not comparable",
        given(staging=with_settings(STAGING, AzureWebJobsStorage=KEY_VAULT % "a")),
        "storage-unknown",
        "check it by hand",
    ),
    (
        "Key Vault reference to the hub",
        given(staging=with_settings(STAGING, HubStore=KEY_VAULT % "a")),
        "key-vault-connection",
        "UNKNOWN",
    ),
    ("long site name", given(site_name="orders-of-the-whole-wide-company"), "host-id", "cut to 32"),
    (
        "host id in one slot",
        given(staging=with_settings(STAGING, AzureFunctionsWebHost__hostid="a")),
        "host-id",
        "one slot only",
    ),
    ("package warning", given(package=package(warnings=("odd",))), "package", "odd"),
]


def codes(plan: SlotPlan, severity: str) -> set[str]:
    return {finding.code for finding in plan.findings if finding.severity == severity}


def test_slots_that_are_right_give_a_plan_and_no_finding() -> None:
    plan = Given().plan()
    assert plan.findings == ()
    assert plan.ok
    assert plan.hubs_are_separate
    assert [step.code for step in plan.steps] == [
        "wait_staging",
        "deploy",
        "verify_staging",
        "wait_production",
        "swap",
        "verify_production",
    ]


@pytest.mark.parametrize(("case", "code", "said"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_a_mistake_stops_the_release_and_is_named(case: Given, code: str, said: str) -> None:
    plan = case.plan()
    assert code in codes(plan, "error")
    assert not plan.ok
    with pytest.raises(Unknown if code == "unread" else BadInput) as raised:
        plan.raise_for_errors()
    assert said in str(raised.value)
    assert "c2VjcmV0a2V5" not in str(raised.value) + str(plan.to_json()) + repr(plan)
    finding = next(finding for finding in plan.findings if finding.code == code)
    assert finding.found


@pytest.mark.parametrize(("case", "code", "said"), [c[1:] for c in WARNED], ids=[c[0] for c in WARNED])
def test_a_risk_is_told_and_does_not_stop_the_release(case: Given, code: str, said: str) -> None:
    plan = case.plan()
    assert codes(plan, "error") == set()
    assert code in codes(plan, "warning")
    assert said in " ".join(str(finding) for finding in plan.findings)


def sticky(*names: str) -> StickyNames:
    return StickyNames(frozenset(names))


ACCEPTED: list[tuple[str, Callable[[], Given]]] = [
    (
        "same hub name in two accounts",
        lambda: given(
            production=with_settings(PRODUCTION, Hub="Same"),
            staging=with_settings(STAGING, Hub="Same", HubStore=OTHER_ACCOUNT),
        ),
    ),
    (
        "sticky AzureWebJobsStorage of one account",
        lambda: given(sticky=sticky("AzureWebJobsStorage")),
    ),
    (
        "other sticky settings",
        lambda: given(sticky=sticky("Greeting", "FUNCTIONS_EXTENSION_VERSION")),
    ),
    ("warm-up trigger", lambda: given(package=package(("warm", "warmupTrigger"), ("api", "httpTrigger")))),
    (
        "handover with separate hubs",
        lambda: given(policy=SlotPolicy.from_params(before_swap="handover", events_reach_staging=True)),
    ),
    (
        "one Key Vault reference for the shared storage",
        lambda: given(
            production=with_settings(PRODUCTION, AzureWebJobsStorage=KEY_VAULT % "a"),
            staging=with_settings(STAGING, AzureWebJobsStorage=KEY_VAULT % "a"),
        ),
    ),
    (
        "the shared storage by identity in one slot",
        lambda: given(
            staging=with_settings(without(STAGING, "AzureWebJobsStorage"), AzureWebJobsStorage__accountName="Keys"),
        ),
    ),
]


@pytest.mark.parametrize("make", [make for _, make in ACCEPTED], ids=[name for name, _ in ACCEPTED])
def test_what_is_right_in_another_way_is_accepted(make: Callable[[], Given]) -> None:
    assert make().plan().findings == ()


def test_an_empty_staging_slot_is_deployed_to_at_once() -> None:
    plan = given(staging=dataclasses.replace(STAGING, host_json=None)).plan()
    assert plan.ok
    assert plan.steps[0].code == "deploy"
    assert codes(plan, "info") == {"staging-empty"}


def test_a_left_over_preview_is_reset_first() -> None:
    plan = given(staging=dataclasses.replace(STAGING, preview_with="production")).plan()
    assert plan.steps[0].code == "reset_preview"
    assert plan.reset_preview_of == ("staging",)


def test_settings_travel_with_the_code_except_the_sticky_ones() -> None:
    after = predict_after_swap(PRODUCTION, STAGING, StickyNames(), site_name="orders")
    assert after.production.binding is not None
    assert after.staging.binding is not None
    assert (after.production.binding.hub_name, after.staging.binding.hub_name) == ("OrdersGreen", "OrdersBlue")
    stays = predict_after_swap(PRODUCTION, STAGING, StickyNames(frozenset({"Hub"})), site_name="orders")
    assert stays.production.binding is not None
    assert stays.production.binding.hub_name == "OrdersBlue"


def test_a_package_that_brings_another_hub_is_told() -> None:
    moved = dataclasses.replace(
        PACKAGE, host_json=host_json(hubName="Third", storageProvider={"connectionName": "HubStore"})
    )
    plan = given(package=moved).plan()
    assert codes(plan, "info") == {"hub-moves"}
    assert plan.ok
