"""Who works on which control queue: leases in the Partitions table, kept as the engine keeps them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from local_azure.engine.control import Control
from local_azure.engine.settings import HubSettings
from local_azure.engine.table_client import ETAG, Row, Table
from local_azure.engine.times import utcnow
from local_azure.engine.wire import StorageError

logger = logging.getLogger(__name__)

_BUSY_INTERVAL = 1.0  # seconds between looks while a partition changes hands


@dataclass(frozen=True)
class Lease:
    """One row of the Partitions table."""

    queue: str
    current_owner: str | None = None
    next_owner: str | None = None
    owned_since: datetime | None = None
    last_renewal: datetime | None = None
    expires_at: datetime | None = None
    is_draining: bool = False
    etag: str = ""

    @classmethod
    def from_row(cls, row: Row) -> Lease:
        """Read a row."""
        return cls(
            queue=row["RowKey"],
            current_owner=row.get("CurrentOwner"),
            next_owner=row.get("NextOwner"),
            owned_since=row.get("OwnedSince"),
            last_renewal=row.get("LastRenewal"),
            expires_at=row.get("ExpiresAt"),
            is_draining=bool(row.get("IsDraining")),
            etag=row[ETAG],
        )

    def to_row(self) -> Row:
        """The row to write; columns that are null are left out and so gone after the replace."""
        return {
            "PartitionKey": "",
            "RowKey": self.queue,
            "CurrentOwner": self.current_owner,
            "NextOwner": self.next_owner,
            "OwnedSince": self.owned_since,
            "LastRenewal": self.last_renewal,
            "ExpiresAt": self.expires_at,
            "IsDraining": self.is_draining,
        }

    def is_free(self, now: datetime) -> bool:
        """Whether nobody holds it."""
        return self.current_owner is None or self.expires_at is None or self.expires_at <= now


@dataclass(frozen=True)
class Plan:
    """The rows to write, and the queues to work on after that."""

    writes: tuple[Lease, ...]
    own: frozenset[str]
    drain: frozenset[str]
    is_changing: bool


def plan(
    leases: Sequence[Lease], me: str, now: datetime, duration: timedelta, drained: frozenset[str] = frozenset()
) -> Plan:
    """Decide what a worker does with the leases that it sees. `drained` are queues that it has drained on request."""
    own: set[str] = set()
    drain: set[str] = set()
    writes: list[Lease] = []
    changing = False
    for lease in leases:
        renewed = replace(lease, last_renewal=now, expires_at=now + duration)
        if lease.current_owner == me:
            if lease.next_owner in (None, me):
                own.add(lease.queue)
                writes.append(replace(renewed, next_owner=None, is_draining=False))
            elif lease.queue in drained:
                changing = True
                writes.append(
                    replace(
                        renewed, current_owner=lease.next_owner, next_owner=None, owned_since=now, is_draining=False
                    )
                )
            else:
                changing = True
                drain.add(lease.queue)
                writes.append(replace(renewed, is_draining=True))
        elif lease.is_free(now):
            own.add(lease.queue)
            writes.append(replace(renewed, current_owner=me, next_owner=None, owned_since=now, is_draining=False))
        elif lease.next_owner == me:
            changing = True
    stolen = _steal(leases, me, own)
    return Plan((*writes, *stolen), frozenset(own), frozenset(drain), changing or bool(stolen))


def _steal(leases: Sequence[Lease], me: str, own: set[str]) -> list[Lease]:
    """Ask for partitions of those who have more than their share, when this worker has less than its own."""
    future = Counter({me: len(own)})
    for lease in leases:
        if lease.queue not in own:
            future[str(lease.next_owner or lease.current_owner)] += 1
    share = len(leases) // len(future)
    stolen: list[Lease] = []
    while future[me] < share:
        richest, count = max(future.items(), key=lambda item: item[1])
        candidates = [
            lease
            for lease in leases
            if lease.current_owner == richest
            and lease.next_owner is None
            and lease.queue not in own
            and lease.queue not in {wanted.queue for wanted in stolen}
        ]
        if count <= share or not candidates:
            break
        stolen.append(replace(candidates[0], next_owner=me))
        future[richest] -= 1
        future[me] += 1
    return stolen


class Partitions:
    """Keeps this worker's leases and tells `Control` which queues are its own."""

    def __init__(self, settings: HubSettings, table: Table, control: Control) -> None:
        self._settings = settings
        self._table = table
        self._control = control
        self._owned: set[str] = set()
        self._drained: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def owned(self) -> frozenset[str]:
        """The queues that this worker works on."""
        return frozenset(self._owned)

    async def start(self) -> None:
        """Claim what is free and go on claiming and renewing."""
        changing = await self._look()
        self._task = asyncio.create_task(self._run(changing), name="partitions")

    async def _run(self, changing: bool) -> None:
        regular = self._settings.lease_renew_interval.total_seconds()
        while True:
            await asyncio.sleep(min(_BUSY_INTERVAL, regular) if changing else regular)
            try:
                changing = await self._look()
            except StorageError as error:
                logger.warning("could not renew the leases of %s, trying again: %s", self._settings.hub_name, error)
                changing = True

    async def _look(self) -> bool:
        leases = [Lease.from_row(row) async for row in self._table.query()]
        now = utcnow()
        planned = plan(leases, self._settings.worker_id, now, self._settings.lease_duration, frozenset(self._drained))
        written = await asyncio.gather(*(self._write(lease) for lease in planned.writes))
        own = {lease.queue for lease, done in zip(planned.writes, written, strict=True) if done} & planned.own
        for queue in own - self._owned:
            self._control.own(queue)
        lost = self._owned - own
        self._owned = own
        self._drained -= {lease.queue for lease in leases if lease.current_owner != self._settings.worker_id}
        for queue in lost:
            await self._control.disown(queue)
            self._drained.add(queue)
        self._drained -= own
        return planned.is_changing

    async def _write(self, lease: Lease) -> bool:
        """Write a lease; False when somebody else was quicker."""
        try:
            await self._table.replace(lease.to_row(), lease.etag)
        except StorageError as error:
            if error.status not in (404, 412):
                raise
            return False
        return True

    async def stop(self, *, graceful: bool) -> None:
        """Stop renewing; when graceful, finish the turns and give the partitions back."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if not graceful:
            return
        with contextlib.suppress(StorageError):  # storage is away: the leases expire by themselves
            await self._mark(is_draining=True, owner=self._settings.worker_id)
        await asyncio.gather(*(self._control.disown(queue) for queue in self._owned))
        with contextlib.suppress(StorageError):
            await self._mark(is_draining=False, owner=None)
        self._owned.clear()

    async def _mark(self, *, is_draining: bool, owner: str | None) -> None:
        async for row in self._table.query():
            lease = Lease.from_row(row)
            if lease.current_owner == self._settings.worker_id:
                following = lease.next_owner if owner is None else owner
                await self._write(replace(lease, current_owner=following, next_owner=None, is_draining=is_draining))
