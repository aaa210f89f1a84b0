"""The trigger that waits for a drained hub: one event for every end, nothing lost between two of its lives."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from airflow.sdk.module_loading import import_string

from tests.support.scripted_drain import HUB, Clock, ScriptedDrain
from zdd.core.gate import Watch
from zdd.triggers import task_hub
from zdd.triggers.task_hub import TaskHubDrainedTrigger


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(task_hub, "utcnow", clock)

    async def sleep(seconds: float) -> None:
        clock.now += timedelta(seconds=seconds)

    monkeypatch.setattr(task_hub.asyncio, "sleep", sleep)
    return clock


def trigger(clock, script, monkeypatch, *, minutes=10.0, watch=None, **changes):
    arguments = {
        "azure_conn_id": "azure_default",
        "resource_group": "group",
        "app_name": "app",
        "slot": None,
        "deadline": (clock.now + timedelta(minutes=minutes)).isoformat(),
        "poll_seconds": 15.0,
        "zeros": 2,
        "settle_seconds": 10.0,
        "status_source": "tables",
        "accept_never_started": False,
        "watch": watch,
    }
    made = TaskHubDrainedTrigger(**(arguments | changes))
    drain = ScriptedDrain(script, clock)
    monkeypatch.setattr(made, "drain", lambda: drain)
    return made, drain


async def event_of(made):
    return (await anext(made.run())).payload


async def test_it_opens_after_two_zeros_a_settle_time_apart(clock, monkeypatch):
    made, drain = trigger(clock, ["busy", "busy", "zero"], monkeypatch)
    began = clock.now
    event = await event_of(made)
    assert event["status"] == "open"
    assert event["watch"]["zeros"] == 2
    # Two busy polls at the interval, then the second zero the moment it counts: not a whole interval later.
    assert clock.now - began == timedelta(seconds=15 + 15 + 10)
    assert drain.looks == ["poll"] * 4


async def test_an_unknown_between_two_zeros_starts_again(clock, monkeypatch):
    made, drain = trigger(clock, ["zero", "unknown", "zero", "zero"], monkeypatch)
    assert (await event_of(made))["status"] == "open"
    assert len(drain.looks) == 4


async def test_a_zero_of_another_hub_starts_again(clock, monkeypatch):
    made, drain = trigger(clock, ["zero", "zero@hub=b", "zero@hub=b"], monkeypatch)
    event = await event_of(made)
    assert (event["status"], event["hub"], event["watch"]["zeros"]) == ("open", "hub=b", 2)
    assert len(drain.looks) == 3


async def test_the_deadline_ends_with_a_complete_proof_that_names_who_blocks(clock, monkeypatch):
    made, drain = trigger(clock, ["busy"], monkeypatch, minutes=1)
    event = await event_of(made)
    assert event["status"] == "deadline"
    assert event["evidence"]["blockers"][0]["instance_id"] == "order-7"
    assert drain.looks[-1] == "prove"
    assert clock.now.isoformat() == event["deadline"]


async def test_a_restarted_trigger_keeps_the_deadline_and_what_was_learned(clock, monkeypatch):
    watch = Watch(binding=HUB).observe(zero=True, began=clock.now, memory=None)
    first, _ = trigger(clock, ["zero"], monkeypatch, watch=watch.to_json())
    path, arguments = first.serialize()
    clock.now += timedelta(seconds=30)
    again = import_string(path)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)
    drain = ScriptedDrain(["zero"], clock)
    monkeypatch.setattr(again, "drain", lambda: drain)
    event = await event_of(again)
    assert event["status"] == "open"
    assert len(drain.looks) == 1


async def test_it_runs_twice_with_the_same_result(clock, monkeypatch):
    made, _ = trigger(clock, ["zero"], monkeypatch)
    assert (await event_of(made))["status"] == (await event_of(made))["status"] == "open"


async def test_an_hour_of_work_is_waited_for_with_a_look_every_fifteen_seconds(clock, monkeypatch):
    began, looks = clock.now, 60 * 60 // 15
    made, drain = trigger(clock, ["busy"] * looks + ["zero"], monkeypatch, minutes=90)
    assert (await event_of(made))["status"] == "open"
    assert clock.now - began == timedelta(minutes=60, seconds=10)
    assert drain.looks == ["poll"] * (looks + 2)


async def test_whatever_breaks_reaches_the_task_as_an_event(clock, monkeypatch):
    made, drain = trigger(clock, ["zero"], monkeypatch)

    async def broken(watch):
        raise KeyError("surprise")

    drain.poll = broken
    event = await event_of(made)
    assert event["status"] == "error"
    assert "KeyError" in event["message"]


async def test_its_arguments_and_event_are_plain_json(clock, monkeypatch):
    made, _ = trigger(clock, ["zero"], monkeypatch)
    json.dumps(made.serialize()[1])
    json.dumps(await event_of(made))


@pytest.mark.parametrize(("asked", "expected"), [(600.0, 25.0), (3.0, 3.0)])
async def test_a_quiet_hub_is_polled_often_enough_for_its_window(clock, monkeypatch, asked, expected):
    made, _ = trigger(clock, ["busy", "zero"], monkeypatch, poll_seconds=asked, settle_seconds=0, zeros=1)
    began = clock.now
    await event_of(made)
    assert (clock.now - began).total_seconds() == expected


async def test_a_long_wait_says_every_ten_minutes_what_it_waits_for(clock, monkeypatch):
    made, _ = trigger(clock, ["busy"], monkeypatch, minutes=35)
    lines: list[str] = []
    monkeypatch.setattr(made.log, "info", lambda text, *values: lines.append(text % values))
    await event_of(made)
    assert len(lines) == 4  # at once, and after 10, 20 and 30 minutes
    assert all("1 instance in flight" in line for line in lines)
