"""Orchestrations and entities at work: messages of the owned control queues, turns, checkpoints."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from local_azure.engine import entities, inbox, orchestration
from local_azure.engine.code import EntityId, FunctionCode
from local_azure.engine.errors import LostOwnership
from local_azure.engine.history_store import HistoryStore, StoredHistory
from local_azure.engine.instance_store import InstanceStore
from local_azure.engine.polling import Poller, renewing
from local_azure.engine.queues import BATCH, HubQueues, Taken, Wakeups
from local_azure.engine.settings import HubSettings
from local_azure.engine.times import utcnow
from local_azure.engine.turns import Delayed, TurnResult

logger = logging.getLogger(__name__)

_MAX_WAITING = 1000  # messages taken and not yet worked on, over all queues
_MAX_CACHED = 500
_MAX_CACHED_EVENTS = 2000


@dataclass
class _Session:
    """One instance with messages: those that wait for the turn that runs now."""

    queue: str
    waiting: list[Taken] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class _HistoryCache:
    """Histories of instances that ran a moment ago. A stale one does no harm: its ETag is refused."""

    def __init__(self) -> None:
        self._stored: OrderedDict[str, StoredHistory] = OrderedDict()

    def get(self, instance_id: str) -> StoredHistory | None:
        return self._stored.get(instance_id)

    def put(self, instance_id: str, stored: StoredHistory) -> None:
        self.drop(instance_id)
        # What has ended may be rewound or purged by clients, who do not touch the sentinel.
        if stored.completed is None and len(stored.events) <= _MAX_CACHED_EVENTS:
            self._stored[instance_id] = stored
            if len(self._stored) > _MAX_CACHED:
                self._stored.popitem(last=False)

    def drop(self, instance_id: str) -> None:
        self._stored.pop(instance_id, None)

    def clear(self) -> None:
        self._stored.clear()


class Control:
    """Works on the control queues that this worker owns."""

    def __init__(
        self,
        settings: HubSettings,
        code: FunctionCode,
        queues: HubQueues,
        wakeups: Wakeups,
        history: HistoryStore,
        instances: InstanceStore,
    ) -> None:
        self._settings = settings
        self._code = code
        self._queues = queues
        self._wakeups = wakeups
        self._history = history
        self._instances = instances
        self._sessions: dict[str, _Session] = {}
        self._pollers: dict[str, Poller] = {}
        self._free = asyncio.Semaphore(settings.max_concurrent_orchestrators)
        self._cache = _HistoryCache()

    # --- ownership ---------------------------------------------------------------------------------------------

    def own(self, queue: str) -> None:
        """Begin to take messages of a queue."""
        if queue not in self._pollers:
            poller = self._pollers[queue] = Poller(self._settings, self._wakeups, queue)
            poller.start(partial(self._take, queue))

    async def disown(self, queue: str) -> None:
        """Take no more of a queue, finish the turns that run, and show again what waits for the next ones."""
        poller = self._pollers.pop(queue, None)
        if poller is not None:
            await poller.stop()
        mine = [session for session in self._sessions.values() if session.queue == queue]
        waiting = [taken for session in mine for taken in session.waiting]
        for session in mine:
            session.waiting = []
        tasks = [session.task for session in mine if session.task is not None]
        shown = (self._queues.show(taken) for taken in waiting)
        await asyncio.gather(*tasks, *shown, return_exceptions=True)
        self._cache.clear()

    async def kill(self) -> None:
        """Stop at once; what was taken stays hidden until its visibility timeout."""
        tasks = [session.task for session in self._sessions.values() if session.task is not None]
        for task in tasks:
            task.cancel()
        pollers = [poller.kill() for poller in self._pollers.values()]
        await asyncio.gather(*tasks, *pollers, return_exceptions=True)
        self._pollers.clear()

    # --- taking ------------------------------------------------------------------------------------------------

    async def _take(self, queue: str, poller: Poller) -> int:
        if sum(len(session.waiting) for session in self._sessions.values()) > _MAX_WAITING:
            return 0
        count = min(BATCH, self._settings.control_queue_batch_size)
        batch = await self._queues.take(queue, count, self._settings.control_queue_visibility_timeout)
        if poller.stopping:
            await asyncio.gather(*(self._queues.show(taken) for taken in batch))
            return 0
        for taken in batch:
            instance_id = taken.message.instance_id
            session = self._sessions.get(instance_id)
            if session is None:
                session = self._sessions[instance_id] = _Session(queue)
                session.task = asyncio.create_task(self._run_session(instance_id, session))
            session.waiting.append(taken)
        return len(batch)

    async def _run_session(self, instance_id: str, session: _Session) -> None:
        try:
            while session.waiting:
                async with self._free:
                    batch, session.waiting = session.waiting, []
                    await self._run_batch(instance_id, batch)
        finally:
            del self._sessions[instance_id]

    async def _run_batch(self, instance_id: str, batch: Sequence[Taken]) -> None:
        hidden = self._settings.control_queue_visibility_timeout
        try:
            async with renewing(self._queues, batch, hidden):
                await self._turn(instance_id, batch)
        except LostOwnership as error:
            logger.info("gave up a turn of %s: %s", instance_id, error)
            self._cache.drop(instance_id)
            await self._give_back(batch)
        except Exception:  # whatever it was, the messages go back and the turn is tried again later
            logger.exception("a turn of %s failed; its messages go back", instance_id)
            self._cache.drop(instance_id)
            await self._give_back(batch)

    async def _give_back(self, batch: Sequence[Taken]) -> None:
        await asyncio.gather(*(self._queues.give_back(taken) for taken in batch), return_exceptions=True)

    # --- one turn ----------------------------------------------------------------------------------------------

    async def _turn(self, instance_id: str, batch: Sequence[Taken]) -> None:
        stored = self._cache.get(instance_id) or await self._history.load(instance_id)
        sorted_ = inbox.sort(instance_id, batch, stored, self._settings)
        if sorted_.deliver:
            await self._advance(instance_id, sorted_.base, sorted_.deliver)
        for taken in sorted_.discard:
            logger.info(
                "discarded %s for %s: the instance has ended, is unknown, or knows it already",
                taken.message.kind.name,
                instance_id,
            )
        if sorted_.discard and not sorted_.deliver and stored.completed is not None:
            # The worker that ended it may have died between the history and the row.
            await self._instances.repair_ended(instance_id, stored.completed, stored.execution_id)
        done = [*sorted_.deliver, *sorted_.discard]
        await asyncio.gather(
            *(self._queues.delete(taken) for taken in done),
            *(self._queues.give_back(taken) for taken in sorted_.give_back),
        )

    async def _advance(self, instance_id: str, base: StoredHistory, deliver: Sequence[Taken]) -> None:
        assert base.execution_id is not None
        new = [taken.message.event for taken in deliver]
        entity = EntityId.parse(instance_id)
        if entity is not None:
            result = await entities.run_turn(self._code, entity, base.execution_id, base.events, new)
        else:
            result = await orchestration.run_turn(
                self._code, self._settings, instance_id, base.execution_id, base.events, new
            )
        await self._checkpoint(instance_id, base, result)

    async def _checkpoint(self, instance_id: str, base: StoredHistory, result: TurnResult) -> None:
        """Store a turn: messages first, then the history, then the row. A crash in between repeats, never loses."""
        outbox = result.outbox
        if len(outbox):
            await asyncio.gather(
                *(self._queues.put_work_item(message) for message in outbox.work_items),
                *(self._queues.put_to_instance(message) for message in outbox.to_instances),
                *(self._put_delayed(delayed) for delayed in outbox.delayed),
            )
        etag, moved = await self._history.append(
            instance_id, result.execution_id, result.first_new, result.new_events, base.etag
        )
        self._cache.put(instance_id, StoredHistory(result.execution_id, list(result.events), etag, utcnow()))
        await self._instances.checkpoint(
            instance_id, result.execution_id, result.new_events, result.custom_status, moved
        )

    async def _put_delayed(self, delayed: Delayed) -> None:
        # Rounded down, as the engine does it: a timer may fire up to a second early and never late for this reason.
        seconds = int((delayed.at - utcnow()) / timedelta(seconds=1))
        await self._queues.put_to_instance(delayed.message, hidden_seconds=seconds)
