"""Polling a queue without haste, and keeping messages hidden while their work goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta

from local_azure.engine.queues import HubQueues, Taken, Wakeups
from local_azure.engine.settings import HubSettings
from local_azure.engine.wire import StorageError

logger = logging.getLogger(__name__)

_MIN_DELAY = 0.05
_GROWTH = 1.5


class Poller:
    """Polls one queue: at once while it gives something, then ever slower, at once again when woken."""

    def __init__(self, settings: HubSettings, wakeups: Wakeups, queue: str) -> None:
        self._max_delay = settings.max_queue_polling_interval.total_seconds()
        self._wakeups = wakeups
        self._queue = queue

    async def run(self, take: Callable[[str], Awaitable[int]]) -> None:
        """Poll until cancelled. `take` takes from the queue and says how many it got."""
        delay = _MIN_DELAY
        while True:
            try:
                count = await take(self._queue)
            except StorageError as error:
                logger.warning("could not read queue %s, trying again: %s", self._queue, error)
                count = 0
            delay = _MIN_DELAY if count else min(delay * _GROWTH, max(self._max_delay, _MIN_DELAY))
            if await self._wakeups.wait(self._queue, delay):
                delay = _MIN_DELAY


@contextlib.asynccontextmanager
async def renewing(queues: HubQueues, batch: Sequence[Taken], hidden: timedelta) -> AsyncIterator[None]:
    """Keep messages hidden for as long as the block runs."""
    task = asyncio.create_task(_renew(queues, batch, hidden))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _renew(queues: HubQueues, batch: Sequence[Taken], hidden: timedelta) -> None:
    while True:
        await asyncio.sleep(hidden.total_seconds() / 2)
        for taken in batch:
            try:
                await queues.renew(taken, hidden)
            except StorageError as error:
                logger.warning("could not renew message %s of %s: %s", taken.id, taken.queue, error)
