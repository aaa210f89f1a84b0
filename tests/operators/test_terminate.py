"""Terminating blockers: only after a person has approved, verified and repeated, entities left alone."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from zdd.core.instances import InstanceRow, RuntimeStatus
from zdd.hooks import management_api
from zdd.hooks.management_api import TerminateReport
from zdd.hooks.slot_reader import SlotReader
from zdd.operators.terminate import TerminateInstancesOperator


class FakeApi:
    """ManagementApi of an app in which each terminated parent leaves a child behind, `generations` times."""

    def __init__(self, generations: int, stubborn: bool = False) -> None:
        self.live = ["order-7", "@counter@x"]
        self.generations, self.stubborn = generations, stubborn
        self.terminated: list[str] = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        """Nothing is open."""

    async def live_instances(self):
        return tuple(InstanceRow(instance_id=one, status=RuntimeStatus.RUNNING) for one in self.live), 1

    async def terminate(self, ids, reason):
        assert "approved" in reason
        if self.stubborn:
            return TerminateReport((), tuple(ids), 6)
        self.terminated += ids
        self.live = [one for one in self.live if one not in ids]
        if self.generations:
            self.generations -= 1
            self.live.append(f"child-{self.generations}")
        return TerminateReport(tuple(ids), (), 1)


@pytest.fixture
def terminate(world, monkeypatch):
    world.open_gate("wait_for_production_to_drain", "terminate")
    world.results["approve_terminate_production"] = {"approved": True, "by": "ada"}

    async def site(_self):
        return {"defaultHostName": "app.test"}

    async def key(_self, _kind, _name):
        return "key"

    monkeypatch.setattr(SlotReader, "site", site)
    monkeypatch.setattr(SlotReader, "key", key)

    class Arm:
        account = world.operator(
            TerminateInstancesOperator, task_id="x", terminate_in="production", approval_task_id="y", gate_task_ids=()
        ).azure.account

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            """Nothing is open."""

    def make(api):
        monkeypatch.setattr(management_api, "ManagementApi", lambda *_: api)
        made = world.operator(
            TerminateInstancesOperator,
            task_id="terminate_production",
            terminate_in="production",
            approval_task_id="approve_terminate_production",
            gate_task_ids=("wait_for_production_to_drain",),
        )
        made.azure.reader = Arm
        return made

    return make


def test_it_ends_what_is_in_flight_and_what_that_leaves_behind_but_no_entity(world, terminate):
    api = FakeApi(generations=2)
    result = terminate(api).execute(world.context())
    assert api.terminated == ["order-7", "child-1", "child-0"]
    assert api.live == ["@counter@x"]
    assert (result["outcome"], result["terminated"]) == ("terminated", 3)
    assert result["deadline"] > world.clock.now.isoformat()


def test_what_cannot_be_ended_is_named(world, terminate):
    with pytest.raises(AirflowFailException, match="order-7"):
        terminate(FakeApi(0, stubborn=True)).execute(world.context())


def test_without_an_approval_nothing_is_touched(world, terminate):
    world.results.pop("approve_terminate_production")
    api = FakeApi(0)
    with pytest.raises(AirflowFailException, match="approval"):
        terminate(api).execute(world.context())
    assert api.terminated == []


def test_a_hub_that_drained_by_itself_is_left_alone(world, terminate):
    world.open_gate("wait_for_production_to_drain", "drained")
    with pytest.raises(AirflowSkipException):
        terminate(FakeApi(0)).execute(world.context())
