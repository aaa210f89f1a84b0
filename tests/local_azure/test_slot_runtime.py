"""Restarts of a slot, with hosts that start when the test says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local_azure.settings import Timing
from local_azure.slot_runtime import HostUnavailable, SiteStopped, SlotRuntime
from local_azure.supervisor import HostDidNotStart


class FakeHost:
    """Counts requests in flight and waits for them at a stop, as HostProcess does."""

    def __init__(self, number: int) -> None:
        self.number = self.pid = number
        self.alive = True
        self.on_exit: Any = None
        self.in_flight = 0
        self.stopped = asyncio.Event()
        self.idle = asyncio.Event()
        self.idle.set()

    def take(self) -> None:
        self.in_flight += 1
        self.idle.clear()

    def give_back(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self.idle.set()

    def tail(self) -> str:
        return ""

    async def stop(self, *, drain: float | None = None) -> None:
        await self.idle.wait()
        self.alive = False
        self.stopped.set()


class Starter:
    """Starts hosts one by one; `gate` holds a start, `problem` makes it fail."""

    def __init__(self) -> None:
        self.hosts: list[FakeHost] = []
        self.begun = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.problem: Exception | None = None

    async def __call__(self) -> Any:
        self.begun += 1
        await self.gate.wait()
        if self.problem is not None:
            raise self.problem
        self.hosts.append(FakeHost(len(self.hosts) + 1))
        return self.hosts[-1]


@pytest.fixture
def starter() -> Starter:
    return Starter()


@pytest.fixture
def runtime(starter: Starter) -> SlotRuntime:
    return SlotRuntime("app[slot]", starter, running=True, timing=Timing(hold=5))


async def test_requests_wait_for_the_new_host_and_those_in_flight_finish_on_the_old(
    runtime: SlotRuntime, starter: Starter
) -> None:
    runtime.start_soon("test")
    old: Any = await runtime.acquire()
    runtime.restart_soon("test")
    waiting = asyncio.create_task(runtime.acquire())
    await asyncio.sleep(0.02)
    assert not waiting.done()
    assert not old.stopped.is_set()
    old.give_back()
    new: Any = await waiting
    assert (old.number, new.number) == (1, 2)
    assert old.stopped.is_set()


async def test_a_start_that_a_newer_restart_overtakes_is_given_up(runtime: SlotRuntime, starter: Starter) -> None:
    starter.gate.clear()
    runtime.start_soon("first")
    await asyncio.sleep(0.01)
    runtime.restart_soon("second")
    runtime.restart_soon("third")
    starter.gate.set()
    await runtime.settled()
    assert starter.begun == 2
    assert len(starter.hosts) == 1
    assert runtime.serving is not None


async def test_a_slot_that_is_stopped_refuses_and_ends_its_host(runtime: SlotRuntime, starter: Starter) -> None:
    runtime.start_soon("test")
    await runtime.settled()
    runtime.stop_soon("test")
    with pytest.raises(SiteStopped):
        await runtime.acquire()
    await runtime.settled()
    assert starter.hosts[0].stopped.is_set()


async def test_a_failed_start_makes_requests_fail_until_a_later_one_succeeds(
    runtime: SlotRuntime, starter: Starter
) -> None:
    starter.problem = HostDidNotStart("no module")
    runtime.start_soon("test")
    with pytest.raises(HostUnavailable, match="no module"):
        await runtime.acquire()
    starter.problem = None
    runtime.restart_soon("mended")
    assert (await runtime.acquire()).pid == 1


async def test_a_host_that_dies_has_a_successor(runtime: SlotRuntime, starter: Starter) -> None:
    runtime.start_soon("test")
    await runtime.settled()
    starter.hosts[0].alive = False
    starter.hosts[0].on_exit(starter.hosts[0])
    assert (await runtime.acquire()).pid == 2


async def test_a_request_does_not_wait_for_ever(starter: Starter) -> None:
    starter.gate.clear()
    runtime = SlotRuntime("app[slot]", starter, running=True, timing=Timing(hold=0.05))
    runtime.start_soon("test")
    with pytest.raises(HostUnavailable):
        await runtime.acquire()
    await runtime.close(drain=0)


async def test_hosts_change_places_between_slots_without_a_moment_without_one(starter: Starter) -> None:
    source = SlotRuntime("app[staging]", starter, running=True, timing=Timing())
    target = SlotRuntime("app[production]", starter, running=True, timing=Timing())
    for one in (source, target):
        one.start_soon("test")
        await one.settled()
    new, old = source.release(), target.release()
    assert new is not None
    assert old is not None
    target.serve(new)
    source.retire(old)
    source.restart_soon("own settings")
    assert (await target.acquire()) is new
    assert (await source.acquire()).pid == 3
    assert starter.hosts[1].stopped.is_set()
    assert not starter.hosts[0].stopped.is_set()
