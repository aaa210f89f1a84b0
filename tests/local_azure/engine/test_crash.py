"""A worker killed at any moment loses nothing: the next one goes on from storage."""

from __future__ import annotations

import asyncio
import sys
import uuid
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path

from local_azure.engine.history import EventKind
from local_azure.engine.instances import InstanceFilter, Status
from local_azure.engine.service import TaskHub, Worker

from .conftest import eventually
from .killed_worker import WrittenDown, settings

ROOT = Path(__file__).resolve().parents[3]
COUNT = 50


async def _start_worker(azurite: str, hub_name: str, runs: Path) -> Process:
    module = "tests.local_azure.engine.killed_worker"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, azurite, hub_name, str(runs), stdout=PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"working\n"
    return process


async def _counts(hub: TaskHub) -> Counter[Status]:
    page = await hub.query(InstanceFilter(), top=1000)
    return Counter(state.status for state in page.instances)


async def _recorded_results(hub: TaskHub) -> set[str]:
    """The activities whose results stand in histories."""
    results = set()
    for number in range(COUNT):
        for event in await hub.history(f"i-{number}"):
            if event["EventType"] == EventKind.TaskCompleted:
                results.add(f"i-{number} {event['TaskScheduledId']}")
    return results


async def test_after_a_kill_in_the_middle_all_instances_finish_and_no_recorded_step_runs_twice(
    azurite: str, tmp_path: Path
) -> None:
    hub_name, runs = f"K{uuid.uuid4().hex[:12]}", tmp_path / "runs"
    runs.touch()
    process = await _start_worker(azurite, hub_name, runs)
    async with TaskHub(settings(azurite, hub_name)) as hub:
        try:
            await asyncio.gather(*(hub.start("Steps", instance_id=f"i-{number}") for number in range(COUNT)))

            async def in_the_middle() -> bool:
                return len(runs.read_text().splitlines()) >= COUNT

            await eventually(in_the_middle)
        finally:
            process.kill()
            await process.wait()
        assert (await _counts(hub))[Status.COMPLETED] < COUNT
        recorded = await _recorded_results(hub)
        worker = Worker(settings(azurite, hub_name), WrittenDown(runs))
        await worker.start()
        try:

            async def all_are_done() -> bool:
                return (await _counts(hub))[Status.COMPLETED] == COUNT

            await eventually(all_are_done)
        finally:
            await worker.stop()
        states = (await hub.query(InstanceFilter(), top=1000)).instances
    executed = Counter(runs.read_text().splitlines())
    assert {state.output for state in states} == {"[1, 2, 3]"}
    assert len(executed) == 3 * COUNT
    assert {step: times for step, times in executed.items() if step in recorded and times > 1} == {}
