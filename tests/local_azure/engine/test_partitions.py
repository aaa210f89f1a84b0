"""Leases on partitions: claiming, sharing, handing over, giving back; and the app lease."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local_azure.engine.app_lease import lease_id
from local_azure.engine.names import control_queue_of, escape_key, unescape_key
from local_azure.engine.partitions import Lease, plan
from local_azure.engine.service import TaskHub, Worker
from local_azure.engine.settings import HubSettings

from .conftest import eventually, wait_for
from .fake_code import FakeCode
from .test_orchestrations import chain, hello

NOW = datetime(2026, 11, 21, tzinfo=UTC)
LATER = timedelta(seconds=30)
QUEUES = [f"hub-control-{number:02d}" for number in range(4)]


def held(queue: str, owner: str | None, *, expired: bool = False, next_owner: str | None = None) -> Lease:
    return Lease(queue, owner, next_owner, NOW, NOW, NOW - LATER if expired else NOW + LATER, etag="e")


def test_a_worker_claims_all_that_is_free_or_expired() -> None:
    planned = plan([Lease(QUEUES[0]), held(QUEUES[1], "dead", expired=True)], "me", NOW, LATER)
    assert planned.own == {QUEUES[0], QUEUES[1]}
    assert [(lease.current_owner, lease.expires_at) for lease in planned.writes] == [("me", NOW + LATER)] * 2


def test_a_worker_that_comes_back_under_its_name_has_its_partitions_at_once() -> None:
    planned = plan([held(queue, "me") for queue in QUEUES], "me", NOW, LATER)
    assert planned.own == set(QUEUES)
    assert not planned.is_changing


def test_a_second_worker_asks_for_half_and_gets_it_after_the_first_has_drained() -> None:
    leases = [held(queue, "first") for queue in QUEUES]
    asked = plan(leases, "second", NOW, LATER)
    assert [lease.next_owner for lease in asked.writes] == ["second", "second"]
    assert asked.own == frozenset()
    wanted = {lease.queue: lease for lease in asked.writes}
    leases = [wanted.get(lease.queue, lease) for lease in leases]
    draining = plan(leases, "first", NOW, LATER)
    assert draining.drain == wanted.keys()
    given = plan(leases, "first", NOW, LATER, frozenset(wanted))
    leases = list(given.writes)
    assert plan(leases, "second", NOW, LATER).own == wanted.keys()
    assert plan(leases, "first", NOW, LATER).own == set(QUEUES) - wanted.keys()


def test_a_fair_share_is_left_alone() -> None:
    leases = [held(QUEUES[0], "a"), held(QUEUES[1], "a"), held(QUEUES[2], "b"), held(QUEUES[3], "b")]
    assert not plan(leases, "a", NOW, LATER).is_changing


async def test_two_workers_share_a_hub_and_the_survivor_takes_over(settings: HubSettings) -> None:
    quick = replace(settings, lease_duration=timedelta(seconds=4), lease_renew_interval=timedelta(seconds=1))
    code = FakeCode({"Chain": chain}, {"SayHello": hello})
    first, second = Worker(quick, code), Worker(replace(quick, worker_id="other"), code)
    async with TaskHub(quick) as hub:
        await first.start()
        await second.start()
        try:

            async def each_has_half() -> bool:
                return len(first.owned_queues) == len(second.owned_queues) == 2

            await eventually(each_has_half)
            ids = [await hub.start("Chain", instance_id=f"i{number}") for number in range(8)]
            for instance_id in ids:
                await wait_for(hub, instance_id)
            await first.stop(graceful=False)
            ids = [await hub.start("Chain", instance_id=f"j{number}") for number in range(8)]
            for instance_id in ids:
                await wait_for(hub, instance_id)
        finally:
            await second.stop()
            await first.stop()
    assert set(code.runs.values()) == {1}


async def test_a_second_app_on_a_hub_does_no_work(settings: HubSettings) -> None:
    code, idle = FakeCode({"Chain": chain}, {"SayHello": hello}), FakeCode({}, {})
    mine, theirs = Worker(replace(settings, app_name="mine"), code), Worker(replace(settings, app_name="theirs"), idle)
    async with TaskHub(settings) as hub:
        await mine.start()
        await theirs.start()
        try:
            await wait_for(hub, await hub.start("Chain"))
            assert theirs.owned_queues == frozenset()
        finally:
            await theirs.stop()
            await mine.stop()


def test_the_app_lease_is_the_hash_of_the_apps_name() -> None:
    assert lease_id("") == "811c9dc5-0000-0000-0000-000000000000"


def test_an_instance_has_its_partition_by_fnv1a() -> None:
    assert control_queue_of("GoldHello", "hello-1", 4) == "goldhello-control-01"
    assert control_queue_of("GoldParent", "parent-1", 4) == "goldparent-control-03"


@pytest.mark.parametrize("instance_id", ["plain", "a/b\\c#d?e^f", "\x01\x7f\x9f", "^0", "emoji-😀"])
def test_keys_are_escaped_and_read_back(instance_id: str) -> None:
    assert unescape_key(escape_key(instance_id)) == instance_id
    assert not set(escape_key(instance_id)) & set("/\\#?")
