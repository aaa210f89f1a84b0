"""Polling a queue without haste, and keeping messages hidden while their work goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

from azure.core.exceptions import AzureError

from local_azure.engine.queues import HubQueues, Taken, Wakeups
from local_azure.engine.settings import HubSettings
from local_azure.engine.wire import StorageError

logger = logging.getLogger(__name__)

_MIN_DELAY = 0.05
_GROWTH = 1.5


class Poller:
    """Polls one queue: at once while it gives something, then ever slower, at once again when woken."""

    def __init__(self, settings: HubSettings, wakeups: Wakeups, queue: str) -> None:
        self._max_delay = max(settings.max_queue_polling_interval.total_seconds(), _MIN_DELAY)
        self._wakeups = wakeups
        self._queue = queue
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether what is taken now should go back at once."""
        return self._stopping

    def start(self, take: Callable[[Poller], Awaitable[int]]) -> None:
        """Poll until stopped. `take` takes from the queue and says how many it got."""
        self._task = asyncio.create_task(self._run(take), name=f"poll {self._queue}")

    async def stop(self) -> None:
        """Stop, and wait for a request that is under way: what it brings must not stay hidden unseen."""
        self._stopping = True
        self._wakeups.wake(self._queue)
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def kill(self) -> None:
        """Stop at once."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self, take: Callable[[Poller], Awaitable[int]]) -> None:
        delay = _MIN_DELAY
        while not self._stopping:
            try:
                count = await take(self)
            except (StorageError, AzureError) as error:
                logger.warning("could not read queue %s, trying again: %s", self._queue, error)
                count = 0
            delay = _MIN_DELAY if count else min(delay * _GROWTH, self._max_delay)
            if not self._stopping and await self._wakeups.wait(self._queue, delay):
                delay = _MIN_DELAY


@contextlib.asynccontextmanager
async def renewing(queues: HubQueues, batch: Sequence[Taken], hidden: timedelta) -> AsyncIterator[None]:
    """Keep messages hidden for as long as the block runs."""
    done = asyncio.Event()
    task = asyncio.create_task(_renew(queues, batch, hidden, done))
    try:
        yield
    finally:
        # A renewal that is under way is waited for: it changes the receipt under which the message is deleted.
        done.set()
        await asyncio.gather(task, return_exceptions=True)


async def _renew(queues: HubQueues, batch: Sequence[Taken], hidden: timedelta, done: asyncio.Event) -> None:
    while True:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), hidden.total_seconds() / 2)
        if done.is_set():
            return
        for taken in batch:
            try:
                await queues.renew(taken, hidden)
            except StorageError as error:
                logger.warning("could not renew message %s of %s: %s", taken.id, taken.queue, error)
