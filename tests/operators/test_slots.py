"""Checking slots as a task: every rule at once, both hubs looked at, nothing changed."""

from __future__ import annotations

import zipfile

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.support.scripted_drain import ScriptedDrain
from zdd.core.slots import SlotView, StickyNames
from zdd.exceptions import Unknown
from zdd.operators import slots
from zdd.operators.slots import CheckSlotsOperator

HOST_JSON = (
    b'{"version": "2.0", "extensions": {"durableTask": {"hubName": "%Hub%",'
    b'"storageProvider": {"connectionStringName": "Store"}}}}'
)
SHARED = "DefaultEndpointsProtocol=https;AccountName=shared;AccountKey=a2V5;EndpointSuffix=core.windows.net"


def view(name: str, hub: str, **changes) -> SlotView:
    settings = {"AzureWebJobsStorage": SHARED, "Store": SHARED, "Hub": hub, "FUNCTIONS_EXTENSION_VERSION": "~4"}
    arguments = {"app_settings": settings, "host_json": HOST_JSON}
    return SlotView(name=name, **(arguments | changes))


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "app.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("host.json", HOST_JSON)
        archive.writestr("start/function.json", '{"bindings": [{"type": "httpTrigger"}]}')
        archive.writestr("run/function.json", '{"bindings": [{"type": "orchestrationTrigger"}]}')
    return path


@pytest.fixture
def check(world, package, monkeypatch):
    def make(production=None, staging=None, *, hubs=("zero",), sticky=StickyNames(), **arguments):  # noqa: B008
        made = world.operator(CheckSlotsOperator, task_id="check_slots", package=str(package), **arguments)
        views = {None: production, "staging": staging}
        made.apps.slot_view = lambda name: views[name.slot]
        made.apps.sticky_names = lambda _name: sticky
        monkeypatch.setattr(slots, "SlotDrain", lambda *_, **__: ScriptedDrain(hubs, world.clock))
        return made

    return make


def test_slots_that_are_fit_give_a_plan_and_nothing_is_changed(world, check):
    result = check(view("production", "Green"), view("staging", "Blue")).execute(world.context())
    assert result["ok"] is True
    assert result["hubs_are_separate"] is True
    assert any("wait until staging has drained" in step for step in result["steps"])
    assert world.apps.calls == []
    assert "a2V5" not in str(result)


def test_every_error_is_named_at_once(world, check):
    made = check(
        view("production", "Same"),
        view("staging", "SAME", auto_swap_slot="production", state="Stopped"),
        sticky=StickyNames(frozenset({"Hub"})),
    )
    with pytest.raises(AirflowFailException) as refused:
        made.execute(world.context())
    text = str(refused.value).lower()
    assert "auto" in text
    assert "sticky" in text or "deployment slot setting" in text
    assert "stopped" in text


def test_an_app_that_does_not_exist_is_named(world, check):
    with pytest.raises(AirflowFailException, match="There is no function app app"):
        check(None, None).execute(world.context())


def test_a_slot_that_does_not_exist_is_named(world, check):
    with pytest.raises(AirflowFailException, match="staging"):
        check(view("production", "Green"), None).execute(world.context())


def test_a_hub_that_cannot_be_read_ends_the_release_before_anything_is_changed(world, check):
    made = check(view("production", "Green"), view("staging", "Blue"), hubs=("unknown",))
    with pytest.raises(Unknown, match="the storage is away"):
        made.execute(world.context())
    assert world.apps.calls == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"before_swap": "maybe"},
        {"on_drain_deadline": "x"},
        {"entities": "y"},
        {"other_triggers": "z"},
        {"events_reach_staging": "perhaps"},
        {"status_source": "stars"},
    ],
)
def test_a_policy_that_is_not_known_is_refused(world, check, wrong):
    with pytest.raises(AirflowFailException, match=next(iter(wrong))):
        check(view("production", "Green"), view("staging", "Blue"), **wrong).execute(world.context())


def test_a_handover_without_the_word_that_events_reach_staging_is_refused_early(world, check):
    made = check(view("production", "Green"), view("staging", "Blue"), before_swap="handover")
    with pytest.raises(AirflowFailException, match="events_reach_staging"):
        made.execute(world.context())
