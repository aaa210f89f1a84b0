"""A worker in a process of its own, to be killed: `python -m … CONNECTION_STRING HUB RUNS_FILE`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

from local_azure.engine.code import ActivityCall, ActivityOutcome
from local_azure.engine.service import Worker
from local_azure.engine.settings import HubSettings

from .fake_code import Context, FakeCode, Task


def settings(connection_string: str, hub: str) -> HubSettings:
    """Short visibility timeouts, so that what a dead worker held comes back soon."""
    return HubSettings(
        hub,
        connection_string,
        worker_id="worker-host",
        control_queue_visibility_timeout=timedelta(seconds=6),
        work_item_queue_visibility_timeout=timedelta(seconds=6),
        max_queue_polling_interval=timedelta(seconds=1),
        max_concurrent_activities=8,
    )


def steps(context: Context) -> Generator[Task, Any, Any]:
    """Three activities, a timer between them."""
    first = yield context.activity("Step", 1)
    yield context.timer(1)
    second = yield context.activity("Step", 2)
    third = yield context.activity("Step", 3)
    return [first, second, third]


class WrittenDown(FakeCode):
    """Writes every execution of an activity into a file."""

    def __init__(self, runs: Path) -> None:
        super().__init__({"Steps": steps}, {"Step": self._step})
        self._file = runs

    @staticmethod
    async def _step(number: int) -> int:
        await asyncio.sleep(0.05)
        return number

    async def run_activity(self, call: ActivityCall) -> ActivityOutcome:
        """Run it, and write it down first."""
        with self._file.open("a") as runs:
            runs.write(f"{call.instance_id} {call.task_id}\n")
        return await super().run_activity(call)


async def main() -> None:
    """Work until killed."""
    worker = Worker(settings(sys.argv[1], sys.argv[2]), WrittenDown(Path(sys.argv[3])))
    await worker.start()
    print("working", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
