"""The app's code behind the engine's interface, driven turn by turn in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_azure.engine import code
from local_azure.functions_host.payload import quoted, unquoted
from local_azure.functions_host.python_app import FunctionApp
from local_azure.functions_host.sdk import SdkCode
from local_azure.functions_host.user_code import UserCode

from .conftest import APPS
from .turns import Turns


@pytest.fixture
def app(load_app: Callable[[Path], FunctionApp]) -> Iterator[SdkCode]:
    user_code = UserCode()
    yield SdkCode(load_app(APPS / "everything"), user_code, lambda function: {})
    user_code.close()


def from_sdk(value: object) -> str:
    """An input as it is stored when the SDK's client has started the orchestration."""
    return json.dumps(json.dumps(value))


def test_names_are_the_decorators_own_and_entities_lower_case(app: SdkCode) -> None:
    assert {"double", "Echo", "flaky", "BuiltIn::HttpActivity"} <= set(app.activities())
    assert "echo_activity" not in app.activities()
    assert "fan_out" in app.orchestrators()
    assert set(app.entities()) == {"counter"}


async def test_fan_out_numbers_its_activities_in_the_sdks_order(app: SdkCode) -> None:
    turns = Turns(app, "fan_out", from_sdk({"n": 3}))
    outcome = await turns.run()
    assert outcome.output == '{"sum": 6}'
    assert outcome.custom_status == '{"parts": 3}'
    assert [(a.id, a.name, a.input) for a in outcome.actions if isinstance(a, code.CallActivity)] == [
        (0, "double", '"0"'),
        (1, "double", '"1"'),
        (2, "double", '"2"'),
    ]


async def test_an_input_that_came_over_http_has_one_layer_of_json(app: SdkCode) -> None:
    assert (await Turns(app, "fan_out", '{"n": 2}').run()).output == '{"sum": 2}'


async def test_a_retry_is_a_timer_and_a_further_call_with_numbers_of_their_own(app: SdkCode) -> None:
    turns = Turns(app, "retrying", None, "retry-me")
    outcome = await turns.run()
    assert json.loads(outcome.output or "") == [3, 6]
    kinds = [(action.id, type(action).__name__) for action in outcome.actions]
    assert kinds == [
        (0, "CallActivity"),
        (1, "CreateTimer"),
        (2, "CallActivity"),
        (3, "CreateTimer"),
        (4, "CallActivity"),
        (5, "CallActivity"),
    ]


async def test_each_action_says_during_which_event_it_was_scheduled(app: SdkCode) -> None:
    turns = Turns(app, "retrying", None, "order-me")
    outcome = await turns.run()
    assert outcome.scheduled_after is not None
    kinds = {number: turns.history[index]["EventType"] for number, index in outcome.scheduled_after.items()}
    assert kinds == {0: 0, 1: 6, 2: 11, 3: 6, 4: 11, 5: 5}


async def test_children_get_the_id_that_the_orchestrator_asked_for(app: SdkCode) -> None:
    turns = Turns(app, "parent", None)
    outcome = await turns.run()
    assert json.loads(outcome.output or "") == [{"child": 2}, {"child": 4}, {"child": 6}]
    ids = [a.instance_id for a in outcome.actions if isinstance(a, code.CallSubOrchestrator)]
    assert ids == [None, "one-2", "one-3"]


async def test_an_event_wakes_the_orchestrator_and_a_cancelled_timer_stays_an_action(app: SdkCode) -> None:
    turns = Turns(app, "approval", None)
    first = await turns.turn([turns._event(0, Name="approval", Input=None, Version=None)])
    assert not first.completed
    assert [type(action) for action in first.actions] == [code.CreateTimer]
    outcome = await turns.turn([turns.event("decision", '{"yes":true}')])
    assert outcome.output == '{"yes": true}'
    assert outcome.event_waits == {"decision": 1}


async def test_continue_as_new_carries_the_next_input(app: SdkCode) -> None:
    outcome = await Turns(app, "eternal", from_sdk(1)).run()
    assert outcome.completed
    assert outcome.output is None
    assert outcome.continue_as_new == code.ContinueAsNew(from_sdk(2))
    assert (await Turns(app, "eternal", from_sdk(3)).run()).output == '"round 3"'


async def test_a_failed_activity_fails_the_orchestrator_with_the_functions_own_words(app: SdkCode) -> None:
    outcome = await Turns(app, "failing", from_sdk("luck")).run()
    assert outcome.completed
    assert outcome.error is not None
    assert outcome.error.startswith(
        "Orchestrator function 'failing' failed: Activity function 'fail' failed: ValueError: no luck"
    )


async def test_entities_keep_state_and_answer_calls(app: SdkCode) -> None:
    turns = Turns(app, "counting", from_sdk("a"))
    outcome = await turns.run()
    value, text = json.loads(outcome.output or "")
    assert value == 7
    assert "boom" in text
    assert turns.entities["@counter@a"] == (True, "7")


async def test_an_entity_that_is_deleted_does_not_exist_any_more(app: SdkCode) -> None:
    batch = code.EntityBatch(
        code.EntityId("counter", "k"), True, "4", [code.EntityOperation("delete", None, "r", is_signal=True)]
    )
    outcome = await app.run_entity(batch)
    assert (outcome.exists, outcome.state) == (False, None)


async def test_async_and_blocking_activities_run_beside_each_other(app: SdkCode) -> None:
    calls = [code.ActivityCall("blocking", "i", "e", n, from_sdk(0.3)) for n in range(4)]
    calls += [code.ActivityCall("slowly", "i", "e", n, from_sdk({"seconds": 0.3})) for n in range(4, 8)]
    loop = asyncio.get_running_loop()
    began = loop.time()
    outcomes = await asyncio.gather(*(app.run_activity(call) for call in calls))
    assert all(outcome.error is None for outcome in outcomes)
    assert loop.time() - began < 1.5


@pytest.mark.parametrize(
    ("stored", "text"),
    [(None, None), ('{"a":1}', '{"a":1}'), ('"{\\"a\\":1}"', '{"a":1}'), ('"plain"', '"plain"'), ("5", "5")],
)
def test_both_layers_of_json_are_understood(stored: str | None, text: str | None) -> None:
    assert unquoted(stored) == text


def test_what_the_sdk_hands_over_is_stored_as_a_string() -> None:
    assert quoted('{"a": 1}') == '"{\\"a\\": 1}"'
