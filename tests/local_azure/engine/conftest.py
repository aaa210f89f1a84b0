"""A hub of its own for each test, and a worker on it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from local_azure.engine.instances import InstanceState, Status
from local_azure.engine.service import TaskHub, Worker
from local_azure.engine.settings import HubSettings

from .fake_code import FakeCode


@pytest.fixture
def settings(azurite: str) -> HubSettings:
    """Settings of a hub that nobody else uses, with a quick poll."""
    return HubSettings(
        f"T{uuid.uuid4().hex[:12]}",
        azurite,
        worker_id="worker-host",
        max_queue_polling_interval=timedelta(seconds=1),
    )


@dataclass
class Running:
    """A hub with a worker."""

    hub: TaskHub
    worker: Worker
    code: FakeCode

    async def wait(
        self, instance_id: str, until: Callable[[InstanceState], bool] | None = None, *, seconds: float = 60
    ) -> InstanceState:
        """Wait until the instance has ended, or until a condition holds."""
        return await wait_for(self.hub, instance_id, until, seconds=seconds)

    async def run(self, name: str, argument: str | None = None, **options: Any) -> InstanceState:
        """Start an orchestration and wait for its end."""
        return await self.wait(await self.hub.start(name, argument, **options))


async def wait_for(
    hub: TaskHub, instance_id: str, until: Callable[[InstanceState], bool] | None = None, *, seconds: float = 60
) -> InstanceState:
    """Wait until the instance has ended, or until a condition holds."""
    state: InstanceState | None = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                state = await hub.get(instance_id)
                if state is not None and (until(state) if until else state.status.is_terminal):
                    return state
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"{instance_id} did not come that far: {state}") from None


async def eventually(condition: Callable[[], Awaitable[bool]], *, seconds: float = 90) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.1)


def has_status(status: Status) -> Callable[[InstanceState], bool]:
    """A condition for `wait`."""
    return lambda state: state.status is status


Run = Callable[[FakeCode], AbstractAsyncContextManager[Running]]


@pytest.fixture
def run(settings: HubSettings) -> Run:
    """Run a worker with some code on the test's hub."""

    @asynccontextmanager
    async def running(code: FakeCode) -> AsyncIterator[Running]:
        async with TaskHub(settings) as hub:
            worker = Worker(settings, code)
            await worker.start()
            try:
                yield Running(hub, worker, code)
            finally:
                await worker.stop()

    return running
