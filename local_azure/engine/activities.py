"""Activities at work: the work-item queue, and the answer that is put before the work item is deleted."""

from __future__ import annotations

import asyncio
import logging

from local_azure.engine.code import ActivityCall, ActivityOutcome, FunctionCode
from local_azure.engine.history import Event, EventKind, make
from local_azure.engine.messages import Message, Sender
from local_azure.engine.polling import Poller, renewing
from local_azure.engine.queues import BATCH, HubQueues, Taken, Wakeups
from local_azure.engine.settings import HubSettings

logger = logging.getLogger(__name__)


class Activities:
    """Runs the hub's activities, as many at once as the settings allow."""

    def __init__(
        self, settings: HubSettings, code: FunctionCode, queues: HubQueues, wakeups: Wakeups, queue: str
    ) -> None:
        self._settings = settings
        self._code = code
        self._queues = queues
        self._wakeups = wakeups
        self._queue = queue
        self._running: set[asyncio.Task[None]] = set()
        self._poller = Poller(settings, wakeups, queue)

    def start(self) -> None:
        """Begin to take work items."""
        self._poller.start(self._take)

    async def stop(self, *, graceful: bool) -> None:
        """Take no more and leave what runs: its messages come back after their visibility timeout."""
        if graceful:
            await self._poller.stop()
        else:
            await self._poller.kill()
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, poller: Poller) -> int:
        free = self._settings.max_concurrent_activities - len(self._running)
        if free <= 0:
            return 0  # the end of a running one wakes the poller
        batch = await self._queues.take(
            self._queue, min(free, BATCH), self._settings.work_item_queue_visibility_timeout
        )
        if poller.stopping:
            await asyncio.gather(*(self._queues.show(taken) for taken in batch))
            return 0
        for taken in batch:
            task = asyncio.create_task(self._run(taken))
            self._running.add(task)
            task.add_done_callback(self._ended)
        return len(batch)

    def _ended(self, task: asyncio.Task[None]) -> None:
        full = len(self._running) >= self._settings.max_concurrent_activities
        self._running.discard(task)
        if full:
            self._wakeups.wake(self._queue)

    async def _run(self, taken: Taken) -> None:
        try:
            async with renewing(self._queues, [taken], self._settings.work_item_queue_visibility_timeout):
                outcome = await self._call(taken)
                await self._answer(taken.message, outcome)
            await self._queues.delete(taken)
        except Exception:  # the host's fault, not the function's: somebody tries again later
            logger.exception("could not run an activity of %s; its message goes back", taken.message.instance_id)
            await self._queues.give_back(taken)

    async def _call(self, taken: Taken) -> ActivityOutcome:
        message = taken.message
        name = str(message.event["Name"])
        if name not in self._code.activities():
            gone = f"The function '{name}' doesn't exist, is disabled, or is not an activity function."
            return ActivityOutcome(error=f"Activity function '{name}' failed: {gone}")
        call = ActivityCall(
            name=name,
            instance_id=message.instance_id,
            execution_id=message.execution_id or "",
            task_id=message.event.event_id,
            input=unwrap(message.event["Input"]),
            attempt=taken.dequeue_count,
        )
        return await self._code.run_activity(call)

    async def _answer(self, message: Message, outcome: ActivityOutcome) -> None:
        event: Event
        if outcome.error is None:
            event = make(EventKind.TaskCompleted, TaskScheduledId=message.event.event_id, Result=outcome.result)
        else:
            event = make(
                EventKind.TaskFailed,
                TaskScheduledId=message.event.event_id,
                Reason=outcome.error,
                Details=outcome.error_details,
            )
        sender = Sender(message.instance_id, message.execution_id or "")
        await self._queues.put_to_instance(
            Message(event, message.instance_id, message.execution_id, sender, message.episode)
        )


def unwrap(text: str | None) -> str | None:
    """The argument's JSON out of the array of arguments that a work item carries."""
    if text is None or not (text.startswith("[") and text.endswith("]")):
        return text
    return text[1:-1]
