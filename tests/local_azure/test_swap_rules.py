"""What moves and what stays in a swap."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from local_azure.model import ConnectionString, Site, Slot, StickyNames, Swap, SwapPhase
from local_azure.swap_rules import OVERRIDE, effective, swapped

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def slot(name: str, **fields: Any) -> Slot:
    ports = {"production": (1, 2), "staging": (3, 4)}[name]
    return Slot(
        name=name,
        site_port=ports[0],
        scm_port=ports[1],
        volume=f"content of {name}",
        publishing_password=f"password of {name}",
        last_modified=NOW,
        **fields,
    )


def site(production: Slot, staging: Slot, **fields: Any) -> Site:
    slots = {"production": production, "staging": staging}
    return Site(subscription="s", resource_group="g", name="n", location="l", plan_id="p", slots=slots, **fields)


def settings_after(
    production: dict[str, str], staging: dict[str, str], sticky: list[str]
) -> tuple[dict[str, str], dict[str, str]]:
    before = site(
        slot("production", app_settings=production),
        slot("staging", app_settings=staging),
        sticky=StickyNames(app_settings=sticky),
    )
    after = swapped(before, "staging", "production")
    return after.slots["production"].app_settings, after.slots["staging"].app_settings


@pytest.mark.parametrize(
    ("production", "staging", "sticky", "expected_production", "expected_staging"),
    [
        ({"A": "p"}, {"A": "s"}, [], {"A": "s"}, {"A": "p"}),
        ({"A": "p"}, {"A": "s"}, ["A"], {"A": "p"}, {"A": "s"}),
        ({"A": "p"}, {"A": "s"}, ["a"], {"A": "p"}, {"A": "s"}),
        ({}, {"A": "s"}, [], {"A": "s"}, {}),
        ({}, {"A": "s"}, ["A"], {}, {"A": "s"}),
        ({"A": "p"}, {}, ["A"], {"A": "p"}, {}),
        ({"WEBSITE_RUN_FROM_PACKAGE": "1"}, {}, [], {}, {"WEBSITE_RUN_FROM_PACKAGE": "1"}),
        (
            {"FUNCTIONS_EXTENSION_VERSION": "~4"},
            {"FUNCTIONS_EXTENSION_VERSION": "~3"},
            [],
            {"FUNCTIONS_EXTENSION_VERSION": "~4"},
            {"FUNCTIONS_EXTENSION_VERSION": "~3"},
        ),
        (
            {"X_EXTENSION_VERSION": "1", OVERRIDE: "0"},
            {"X_EXTENSION_VERSION": "2", OVERRIDE: "0"},
            [],
            {"X_EXTENSION_VERSION": "2", OVERRIDE: "0"},
            {"X_EXTENSION_VERSION": "1", OVERRIDE: "0"},
        ),
        (  # the override counts only in every slot
            {"X_EXTENSION_VERSION": "1", OVERRIDE: "0"},
            {"X_EXTENSION_VERSION": "2"},
            [],
            {"X_EXTENSION_VERSION": "1"},
            {"X_EXTENSION_VERSION": "2", OVERRIDE: "0"},
        ),
    ],
)
def test_settings_move_with_the_code_unless_they_are_sticky(
    production: dict[str, str],
    staging: dict[str, str],
    sticky: list[str],
    expected_production: dict[str, str],
    expected_staging: dict[str, str],
) -> None:
    assert settings_after(production, staging, sticky) == (expected_production, expected_staging)


def test_content_moves_and_ports_passwords_and_autoswap_stay() -> None:
    before = site(
        slot("production", site_config={"alwaysOn": True, "linuxFxVersion": "Python|3.10"}),
        slot("staging", site_config={"autoSwapSlotName": "x", "linuxFxVersion": "Python|3.11"}),
    )
    after = swapped(before, "staging", "production").slots["production"]
    assert after.volume == "content of staging"
    assert (after.site_port, after.scm_port, after.publishing_password) == (1, 2, "password of production")
    assert after.site_config == {"alwaysOn": True, "linuxFxVersion": "Python|3.11"}


def test_connection_strings_have_sticky_names_of_their_own() -> None:
    def strings(value: str) -> dict[str, ConnectionString]:
        return {"C": ConnectionString(value=value), "D": ConnectionString(value=value)}

    before = site(
        slot("production", connection_strings=strings("p")),
        slot("staging", connection_strings=strings("s")),
        sticky=StickyNames(app_settings=["D"], connection_strings=["C"]),
    )
    after = swapped(before, "staging", "production").slots["production"].connection_strings
    assert {name: one.value for name, one in after.items()} == {"C": "p", "D": "s"}


def test_two_swaps_restore_everything() -> None:
    before = site(
        slot("production", app_settings={"A": "p", "S": "p"}, site_config={"alwaysOn": True, "x": 1}),
        slot("staging", app_settings={"A": "s", "S": "s", "T": "s"}, site_config={"x": 2}),
        sticky=StickyNames(app_settings=["S", "T"]),
    )
    assert swapped(swapped(before, "staging", "production"), "staging", "production") == before


@pytest.mark.parametrize(
    ("phase", "hub"),
    [
        (SwapPhase.ACCEPTED, "own"),
        (SwapPhase.APPLY_SETTINGS, "production's"),
        (SwapPhase.WAIT_FOR_RESTART, "production's"),
        (SwapPhase.WARM_UP, "production's"),
        (SwapPhase.SWITCHED, "own"),
    ],
)
def test_the_source_wears_the_target_s_sticky_settings_until_the_switch(phase: SwapPhase, hub: str) -> None:
    swap = Swap(id="1", source="staging", target="production", phase=phase, started=NOW)
    held = site(
        slot("production", app_settings={"Hub": "production's"}),
        slot("staging", app_settings={"Hub": "own"}),
        sticky=StickyNames(app_settings=["Hub"]),
        swap=swap,
    )
    worn = effective(held, "staging")
    assert worn.app_settings["Hub"] == hub
    assert worn.volume == "content of staging"
    assert worn.is_production == (hub != "own")
    assert effective(held, "production").app_settings["Hub"] == "production's"
