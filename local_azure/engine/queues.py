"""Queues of the hub: putting, taking, renewing, giving back and deleting messages, and who is woken by a put."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from azure.core.exceptions import ResourceNotFoundError

from local_azure.engine import messages
from local_azure.engine.blobs import LargePayloads, fits_message, message_blob_name
from local_azure.engine.messages import Message
from local_azure.engine.storage import HubStorage
from local_azure.engine.wire import StorageError

logger = logging.getLogger(__name__)

MAX_HIDDEN_SECONDS = 7 * 24 * 3600
MAX_ABANDON_SECONDS = 600
BATCH = 32  # the most that one request may take


class Wakeups:
    """Tells the loops of this process that a queue has something for them, now or at a later moment."""

    def __init__(self) -> None:
        self._events: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._timers: set[asyncio.TimerHandle] = set()

    def wake(self, queue: str) -> None:
        """Something visible was put."""
        self._events[queue].set()

    def wake_later(self, queue: str, seconds: float) -> None:
        """Something put will be visible then."""
        # A long timer would outlive many workers and cost memory; the loop's own polling finds those.
        if seconds > 3600:
            return
        loop = asyncio.get_running_loop()

        def fire() -> None:
            self._timers.discard(handle)
            self.wake(queue)

        handle = loop.call_later(seconds, fire)
        self._timers.add(handle)

    async def wait(self, queue: str, at_most: float) -> bool:
        """Wait for a wake-up; False when none came in time."""
        event = self._events[queue]
        try:
            await asyncio.wait_for(event.wait(), at_most)
        except TimeoutError:
            return False
        event.clear()
        return True

    def close(self) -> None:
        """Forget what was to be woken later."""
        for handle in self._timers:
            handle.cancel()
        self._timers.clear()


@dataclass
class Taken:
    """A message that was taken: hidden from others until its visibility timeout ends."""

    queue: str
    id: str
    pop_receipt: str
    dequeue_count: int
    inserted_on: datetime
    message: Message

    @property
    def order(self) -> tuple[datetime, int]:
        """Sorts messages by the moment in which they were put."""
        return (self.inserted_on, self.message.sequence_number)


class HubQueues:
    """The hub's queues."""

    def __init__(self, storage: HubStorage, payloads: LargePayloads, wakeups: Wakeups) -> None:
        self._storage = storage
        self._payloads = payloads
        self._wakeups = wakeups

    async def put(self, queue: str, message: Message, *, hidden_seconds: int = 0) -> str | None:
        """Put a message. Returns the URL of its blob when it was too large for the queue."""
        text = messages.to_json(message)
        url = None
        if not fits_message(text.encode()):
            name = message_blob_name(message)
            url = await self._payloads.save(name, text)
            text = messages.pointer_json(name)
        hidden = min(max(hidden_seconds, 0), MAX_HIDDEN_SECONDS)
        await self._storage.queue(queue).put(text, hidden)
        if hidden:
            self._wakeups.wake_later(queue, hidden)
        else:
            self._wakeups.wake(queue)
        return url

    async def put_to_instance(self, message: Message, *, hidden_seconds: int = 0) -> str | None:
        """Put a message into the control queue of its instance."""
        queue = self._storage.control_queue_of(message.instance_id)
        return await self.put(queue, message, hidden_seconds=hidden_seconds)

    async def put_work_item(self, message: Message) -> None:
        """Put an activity's message."""
        await self.put(self._storage.work_item_queue_name, message)

    async def take(self, queue: str, count: int, hidden: timedelta) -> list[Taken]:
        """Take up to `count` messages (at most 32)."""
        client = self._storage.queue(queue)
        taken = []
        for raw in await client.take(min(count, BATCH), int(hidden.total_seconds())):
            try:
                message = await self._read(raw.text)
            except ResourceNotFoundError:
                # The instance was purged and its blobs with it: nobody can read this message any more.
                logger.warning("discarded message %s of %s: its payload is gone", raw.id, queue)
                await client.delete(raw.id, raw.pop_receipt)
                continue
            except (ValueError, KeyError):
                logger.exception("left message %s of %s alone: it is none of the engine's", raw.id, queue)
                continue
            taken.append(Taken(queue, raw.id, raw.pop_receipt, raw.dequeue_count, raw.inserted_on, message))
        return taken

    async def _read(self, text: str) -> Message:
        message = messages.from_json(text)
        if isinstance(message, Message):
            return message
        inner = messages.from_json(await self._payloads.load(message))
        assert isinstance(inner, Message)
        return inner

    async def renew(self, taken: Taken, hidden: timedelta) -> None:
        """Keep a message hidden while its work goes on."""
        taken.pop_receipt = await self._storage.queue(taken.queue).hide(
            taken.id, taken.pop_receipt, int(hidden.total_seconds())
        )

    async def give_back(self, taken: Taken) -> None:
        """Put a message back for a later try; each try waits twice as long, ten minutes at most."""
        count = taken.dequeue_count
        seconds = MAX_ABANDON_SECONDS if count > 30 else min(2**count, MAX_ABANDON_SECONDS)
        try:
            await self.renew(taken, timedelta(seconds=seconds))
        except StorageError as error:
            if error.status not in (400, 404):
                raise
            return  # another worker took or deleted it meanwhile
        self._wakeups.wake_later(taken.queue, seconds)

    async def show(self, taken: Taken) -> None:
        """Make a taken message visible again at once: nobody has begun to work on it."""
        try:
            await self.renew(taken, timedelta(0))
        except StorageError as error:
            if error.status not in (400, 404):
                raise
        self._wakeups.wake(taken.queue)

    async def delete(self, taken: Taken) -> None:
        """Delete a message whose work is done."""
        await self._storage.queue(taken.queue).delete(taken.id, taken.pop_receipt)
