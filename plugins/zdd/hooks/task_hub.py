"""Task hub: reads one hub in the order that makes a proof, and asks `core.drain` for the verdict.

The outside world never raises here: whatever cannot be read makes the verdict UNKNOWN, with the reason.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from zdd.core import drain, drain_rules
from zdd.core.drain import DrainState, DrainVerdict
from zdd.core.drain_memory import DrainMemory
from zdd.core.host_json import AZURE_STORAGE, TaskHubBinding
from zdd.core.observation import HubReading, TimersReading
from zdd.core.partitions import control_queues, work_item_queue
from zdd.exceptions import Unknown
from zdd.hooks.hub_storage import HubStorage
from zdd.hooks.storage_clients import PartMissing, StoreClock

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

log = logging.getLogger(__name__)

READING_LIMIT_SECONDS = 300.0
# A row that changed in the second in which the reading began voids it: by the next second that is over.
VOID_RETRIES = 2
VOID_PAUSE_SECONDS = 1.05
ATTRIBUTED_ROWS = 20
ANCESTORS = 10


class TaskHubReader:
    """Reads one task hub. An async context manager; keep one open over many polls.

    :param credential: for storage that is bound by identity.
    :param clock: how the store's time is told; another one only in a replay.
    """

    def __init__(
        self,
        binding: TaskHubBinding,
        *,
        credential: AsyncTokenCredential | None = None,
        clock: StoreClock | None = None,
    ) -> None:
        self.binding = binding
        self._hub = binding.fingerprint()
        self._storage = HubStorage(binding, credential)
        self._clock = clock or StoreClock()

    async def __aenter__(self) -> TaskHubReader:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._storage.close()

    @property
    def requests(self) -> int:
        """How many answers the storage has given so far."""
        return self._storage.answers.count

    async def prove(self, memory: DrainMemory | None) -> DrainVerdict:
        """A complete proof: every queue, then every row. Never raises for the outside world: UNKNOWN with a reason."""
        started, requests = time.monotonic(), self.requests
        try:
            async with asyncio.timeout(READING_LIMIT_SECONDS):
                verdict = await self._prove(memory)
        except Unknown as error:
            verdict = drain.unknown(str(error), memory, hub=self._hub)
        except TimeoutError:
            reason = f"the reading was given up after {READING_LIMIT_SECONDS:.0f} s"
            verdict = drain.unknown(reason, memory, hub=self._hub)
        return _measured(verdict, started, self.requests - requests)

    async def poll(self, memory: DrainMemory | None) -> DrainVerdict:
        """A cheap look: a remembered instance that is still in flight is answer enough, else a complete proof."""
        if memory is not None and drain.may_ask_witness(memory, hub=self._hub):
            started, requests = time.monotonic(), self.requests
            try:
                row = await self._storage.tables.row(memory.witnesses[0])
            except Unknown as error:
                log.debug("witness not read, making a proof instead: %s", error)
            else:
                if row and row.status.is_live and self._is_own(row.hub_name):
                    return _measured(drain.witness_alive(row, memory), started, self.requests - requests)
        return await self.prove(memory)

    def _is_own(self, hub_name: str | None) -> bool:
        return (
            self.binding.tracking_storage is None
            or hub_name is None
            or hub_name.lower() == self.binding.hub_name.lower()
        )

    async def _prove(self, memory: DrainMemory | None) -> DrainVerdict:
        if self.binding.storage_provider != AZURE_STORAGE:
            raise Unknown(
                f"the hub is kept by the storage provider {self.binding.storage_provider}, "
                f"of which only {AZURE_STORAGE} can be read: use the HTTP API as the source of status"
            )
        for _ in range(VOID_RETRIES):
            verdict, void = await self._read_and_judge(memory)
            if not void:
                return verdict
            await asyncio.sleep(VOID_PAUSE_SECONDS)
        return (await self._read_and_judge(memory))[0]

    async def _read_and_judge(self, memory: DrainMemory | None) -> tuple[DrainVerdict, bool]:
        try:
            reading = await self._read(memory)
        except PartMissing as missing:
            return await self._missing(missing, memory), False
        found = drain_rules.sort_reading(reading)
        if drain_rules.wants_timers(reading, found):
            reading = replace(reading, timers=await self._timers(reading))
        verdict = drain.judge(
            reading, memory, hub=self._hub, visibility_timeout=self.binding.control_queue_visibility_timeout
        )
        return verdict, drain_rules.work_found(reading, found) is None and drain_rules.is_void(reading, found)

    async def _read(self, memory: DrainMemory | None) -> HubReading:
        """The order of a proof: the store's time, each queue, the rows."""
        answers, hub = self._storage.answers, self.binding.hub_name
        answers.begin()
        # Read anew each time, although it hardly changes: its answer tells the store's time before the first queue.
        partitions = await self._storage.partition_count()
        if answers.first is None:
            raise Unknown("the storage's answer has no Date, so its time is not known")
        began = self._clock.earliest(answers.first)
        work_items, *control = await asyncio.gather(
            self._storage.queue(work_item_queue(hub), began),
            *(self._storage.queue(name, began) for name in control_queues(hub, partitions)),
        )
        now = self._clock.latest(answers.last or answers.first)
        since = began
        if memory and memory.hub == self._hub and memory.quiet_since and memory.rows_seen_until:
            since = min(began, memory.rows_seen_until)
        rows = await self._storage.tables.rows(since)
        reading = HubReading(
            hub_name=hub,
            began=began,
            now=now,
            work_items=work_items,
            control=tuple(control),
            rows=rows,
            shared_store=self.binding.tracking_storage is not None,
        )
        return replace(reading, attributed=await self._attribute(reading)) if reading.shared_store else reading

    async def _timers(self, reading: HubReading) -> TimersReading:
        return await self._storage.tables.timers(
            due_after=reading.now + drain_rules.TIMER_MARGIN, written_before=reading.began
        )

    async def _attribute(self, reading: HubReading) -> dict[str, str]:
        """Trace live rows without a hub's name to their parents' hub; only when they alone decide, and only a few."""
        found = drain_rules.sort_reading(reading)
        nameless = [row for row in found.live if row.hub_name is None]
        if not nameless or len(nameless) < len(found.live) or len(nameless) > ATTRIBUTED_ROWS:
            return {}
        hubs: dict[str, str] = {}
        for row in nameless:
            hub = await self._hub_of_ancestor(row.instance_id, row.execution_id)
            if hub:
                hubs[row.instance_id] = hub
        return hubs

    async def _hub_of_ancestor(self, instance_id: str, execution_id: str) -> str | None:
        for _ in range(ANCESTORS):
            parent = await self._storage.tables.parent_of(instance_id, execution_id)
            if parent is None:
                return None
            instance_id, execution_id = parent
            row = await self._storage.tables.row(instance_id)
            # A parent that was started again since may live in another hub now.
            if row is None or row.execution_id != execution_id:
                return None
            if row.hub_name:
                return row.hub_name
        return None

    async def _missing(self, missing: PartMissing, memory: DrainMemory | None) -> DrainVerdict:
        parts = await self._storage.parts()
        if not parts:
            return drain.never_started(memory, hub=self._hub)
        raise Unknown(f"{missing}, but other parts of the hub do: {', '.join(parts[:5])}")


def _measured(verdict: DrainVerdict, started: float, requests: int) -> DrainVerdict:
    evidence = replace(verdict.evidence, duration_seconds=time.monotonic() - started, requests=requests)
    return replace(verdict, evidence=evidence)


async def prove_once(
    binding: TaskHubBinding, memory: DrainMemory | None = None, *, credential: AsyncTokenCredential | None = None
) -> DrainVerdict:
    """Open a reader for one proof."""
    async with TaskHubReader(binding, credential=credential) as reader:
        return await reader.prove(memory)


def prove(
    binding: TaskHubBinding, memory: DrainMemory | None = None, *, credential: AsyncTokenCredential | None = None
) -> DrainVerdict:
    """One proof, for callers that are not async."""
    return asyncio.run(prove_once(binding, memory, credential=credential))


__all__ = ["DrainMemory", "DrainState", "DrainVerdict", "TaskHubReader", "prove", "prove_once"]
