"""The orders app, each version driven through the SDK's own Orchestrator."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from demo.orders import expected_output, make_order
from tests.samples.replay import ORDERS, App, Rehearsal, flatten, run

EDITIONS = {"v1_0_0": "1.0.0", "v1_1_0": "1.1.0", "v2_0_0": "2.0.0", "v2_1_0_entity": "2.1.0"}


@pytest.fixture(scope="module", params=list(EDITIONS))
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def app(version: str) -> App:
    return App(version)


def order_of(version: str, **choices: bool) -> dict[str, Any]:
    # Seed 3 gives an order below the approver's limit and above the discount's.
    return make_order("O-1", random.Random(3), **choices) | {"edition": EDITIONS[version]}


def test_an_approved_order_is_shipped_with_the_output_that_the_demo_expects(app: App, version: str) -> None:
    order = order_of(version)
    instance = Rehearsal(app, "order", order)
    assert instance.state["customStatus"]["step"] == "waits for approval"

    instance.raise_event("Approval", {"approved": True})

    assert instance.state["isDone"]
    assert instance.state["output"] == expected_output(order)
    assert instance.state["output"]["outcome"] == "shipped"


def test_a_rejected_order_gives_its_items_back(app: App, version: str) -> None:
    dear = order_of(version)
    dear["lines"] = [line | {"quantity": 90} for line in dear["lines"]]
    instance = Rehearsal(app, "order", dear)

    instance.raise_event("Approval", {"approved": False})

    assert instance.state["output"] == expected_output(dear)
    assert instance.state["output"]["outcome"] == "rejected"
    released = [action for action in instance.actions if action.get("functionName") == "release_item"]
    assert len(released) == len(dear["lines"])


def test_an_order_that_nobody_answers_is_reminded_of_and_expires(app: App, version: str) -> None:
    order = order_of(version, unanswered=True)
    instance = Rehearsal(app, "order", order)

    instance.fire_timer(0)
    assert not instance.state["isDone"]
    instance.fire_timer(0)

    assert instance.state["output"] == expected_output(order)
    assert "send_reminder" in [action.get("functionName") for action in instance.actions]


def test_an_approval_after_the_reminder_still_ships(app: App, version: str) -> None:
    order = order_of(version, remind=True)
    instance = Rehearsal(app, "order", order)

    instance.fire_timer(0)
    instance.raise_event("Approval", {"approved": True})

    assert instance.state["output"] == expected_output(order)


def names(actions: list[dict[str, Any]]) -> list[str]:
    return [action["functionName"] for action in actions if "functionName" in action]


def test_1_1_0_schedules_what_1_0_0_scheduled_so_that_it_could_finish_its_orders() -> None:
    order = order_of("v1_0_0")
    waiting = Rehearsal(App("v1_0_0"), "order", order)

    state = run(App("v1_1_0").orchestrator("order"), waiting.history, order)

    assert names(flatten(state["actions"])) == names(waiting.actions)


def test_an_order_of_1_x_breaks_when_2_0_0_replays_its_history() -> None:
    order = order_of("v1_0_0")
    waiting = Rehearsal(App("v1_0_0"), "order", order)
    first_turn = waiting.history[:2]

    state = run(App("v2_0_0").orchestrator("order"), first_turn, order)

    assert names(waiting.actions)[0] == "reserve_item"
    assert names(flatten(state["actions"])) == ["price_order"]
    with pytest.raises(Exception, match="total_cents"):
        run(App("v2_0_0").orchestrator("order"), waiting.history, order)


def test_only_the_entity_edition_has_an_entity(app: App, version: str) -> None:
    entities = [name for name, trigger in app.triggers.items() if trigger == "entityTrigger"]
    assert entities == (["stock"] if version == "v2_1_0_entity" else [])


def test_every_edition_takes_its_hub_and_its_storage_from_settings(version: str) -> None:
    durable = json.loads((ORDERS / version / "host.json").read_text())["extensions"]["durableTask"]
    assert durable["hubName"] == "%OrdersTaskHub%"
    assert durable["storageProvider"]["connectionStringName"] == "DurableManagementStorage"
