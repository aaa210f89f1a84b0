"""Reads a hub's tables: instance rows, timers, parents. Of a shared tracking store it reads every hub's."""

from __future__ import annotations

import asyncio
import itertools
import json
from datetime import UTC, datetime
from typing import Any

from zdd.core.host_json import TaskHubBinding
from zdd.core.instances import FINISHED_STATUSES, InstanceRow, RuntimeStatus, unescape_key
from zdd.core.observation import RowsReading, Timer, TimersReading
from zdd.core.partitions import key_filter, odata_text
from zdd.exceptions import Unknown
from zdd.hooks.storage_clients import StorageClients, reading

_COLUMNS = [
    "PartitionKey",
    "Timestamp",
    "RuntimeStatus",
    "Name",
    "Version",
    "ExecutionId",
    "CreatedTime",
    "TaskHubName",
]
_TIMER_COLUMNS = ["PartitionKey", "ExecutionId", "EventId", "FireAt"]
# Where a scan is cut into key ranges: most ids are hexadecimal, so the cuts lie among their first characters.
_CUTS = ("1", "3", "5", "7", "9", "b", "d", "f")
# Once live rows were found the verdict stands: the pages after that only make the counts better.
_BUSY_PAGES = 20
TIMER_PAGES = 20
# The most that the service gives.
PAGE_ROWS = 1000


class HubTables:
    """The Instances and History tables in which a hub keeps its rows."""

    def __init__(self, binding: TaskHubBinding, clients: StorageClients) -> None:
        self.binding = binding
        self._rows = clients

    async def rows(self, changed_from: datetime) -> RowsReading:
        """Scan the instance rows for live ones, or ones changed since a moment, to the last page."""
        condition = f"({_not_finished()}) or Timestamp ge {_moment(changed_from)}"
        first, token = await self._page(condition, None)
        if token is None:
            return _rows_reading(first, changed_from, pages=1)
        if any(self._is_work(row) for row in first):
            rows, pages = list(first), 1
            while token is not None and pages < _BUSY_PAGES:
                more, token = await self._page(condition, token)
                rows += more
                pages += 1
            return _rows_reading(rows, changed_from, pages=pages, complete=token is None)
        # A long table with little to find: what is left is scanned in ranges, side by side.
        ranges = await asyncio.gather(*(self._range(f"({condition}) and {part}") for part in _key_ranges()))
        found = {row.instance_id: row for rows, _ in ranges for row in rows}
        return _rows_reading(list(found.values()), changed_from, pages=1 + sum(pages for _, pages in ranges))

    def _is_work(self, row: InstanceRow) -> bool:
        if row.is_entity or not row.status.is_live:
            return False
        is_shared = self.binding.tracking_storage is not None
        return not is_shared or (row.hub_name or self.binding.hub_name).lower() == self.binding.hub_name.lower()

    async def _range(self, condition: str) -> tuple[list[InstanceRow], int]:
        rows, token = await self._page(condition, None)
        pages = 1
        while token is not None:
            more, token = await self._page(condition, token)
            rows += more
            pages += 1
        return rows, pages

    async def _page(self, condition: str, token: Any) -> tuple[list[InstanceRow], Any]:
        name = self.binding.instances_table
        async with reading(f"table {name}"):
            table = (await self._rows.tables()).get_table_client(name)
            found = table.query_entities(condition, select=_COLUMNS, results_per_page=PAGE_ROWS)
            pages = found.by_page(continuation_token=token)
            async for page in pages:
                return [_row(entity) async for entity in page], pages.continuation_token
        return [], None

    async def row(self, instance_id: str) -> InstanceRow | None:
        """One instance by its key; None when there is no such row."""
        rows, _ = await self._page(f"{key_filter(instance_id)} and RowKey eq ''", None)
        return rows[0] if rows else None

    async def timers(self, *, due_after: datetime, written_before: datetime) -> TimersReading:
        """The TimerCreated events whose time is still to come.

        Only those written before the reading began: the message of a later one cannot have been counted.
        """
        name = self.binding.history_table
        condition = (
            f"EventType eq 'TimerCreated' and FireAt gt {_moment(due_after)} and Timestamp lt {_moment(written_before)}"
        )
        timers: list[Timer] = []
        read = 0
        async with reading(f"table {name}"):
            table = (await self._rows.tables()).get_table_client(name)
            pages = table.query_entities(condition, select=_TIMER_COLUMNS, results_per_page=PAGE_ROWS).by_page()
            async for page in pages:
                timers += [_timer(entity) async for entity in page]
                read += 1
                if read >= TIMER_PAGES and pages.continuation_token:
                    return TimersReading((), pages=read, complete=False)
        return TimersReading(tuple(timers), pages=read)

    async def parent_of(self, instance_id: str, execution_id: str) -> tuple[str, str] | None:
        """The (instance, execution) that started this execution as its child, from the history; None if none did."""
        name = self.binding.history_table
        condition = (
            f"{key_filter(instance_id)} and EventType eq 'ExecutionStarted'"
            f" and ExecutionId eq {odata_text(execution_id)}"
        )
        async with reading(f"table {name}"):
            table = (await self._rows.tables()).get_table_client(name)
            async for entity in table.query_entities(condition, select=["ParentInstance"]):
                return _parent(entity.get("ParentInstance"))
        return None

    async def rows_of_hub(self) -> int:
        """How many rows carry this hub's name.

        :raises PartMissing: there is no table of instances.
        """
        rows, _ = await self._range(f"TaskHubName eq {odata_text(self.binding.hub_name)}")
        return len(rows)


def _not_finished() -> str:
    # By what it is not, so that a status which this edition does not know counts as alive.
    return " and ".join(f"RuntimeStatus ne '{status.value}'" for status in sorted(FINISHED_STATUSES))


def _key_ranges() -> list[str]:
    inner = itertools.pairwise(_CUTS)
    middle = [f"PartitionKey ge {odata_text(low)} and PartitionKey lt {odata_text(high)}" for low, high in inner]
    return [f"PartitionKey lt '{_CUTS[0]}'", *middle, f"PartitionKey ge '{_CUTS[-1]}'"]


def _rows_reading(rows: list[InstanceRow], since: datetime, *, pages: int, complete: bool = True) -> RowsReading:
    return RowsReading(
        live=tuple(row for row in rows if row.status.is_live),
        changed=tuple(row for row in rows if row.timestamp is None or row.timestamp >= since),
        changed_from=since,
        pages=pages,
        complete=complete,
    )


def _row(entity: Any) -> InstanceRow:
    return InstanceRow(
        instance_id=unescape_key(entity["PartitionKey"]),
        status=RuntimeStatus.parse(entity.get("RuntimeStatus")),
        timestamp=_time(entity.metadata.get("timestamp") or entity.get("Timestamp")),
        name=entity.get("Name") or "",
        version=entity.get("Version") or "",
        execution_id=entity.get("ExecutionId") or "",
        hub_name=entity.get("TaskHubName") or None,
        created=_time(entity.get("CreatedTime")),
    )


def _timer(entity: Any) -> Timer:
    fire_at = _time(entity.get("FireAt"))
    if fire_at is None:
        raise Unknown("a TimerCreated event without a readable FireAt stands in the history")
    return Timer(
        instance_id=unescape_key(entity["PartitionKey"]),
        execution_id=str(entity.get("ExecutionId") or ""),
        timer_id=int(entity.get("EventId") or 0),
        fire_at=fire_at,
    )


def _parent(text: object) -> tuple[str, str] | None:
    try:
        parent = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        return None
    instance = parent.get("OrchestrationInstance") if isinstance(parent, dict) else None
    if not isinstance(instance, dict) or not instance.get("InstanceId"):
        return None
    return str(instance["InstanceId"]), str(instance.get("ExecutionId") or "")


def _time(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _moment(value: datetime) -> str:
    return f"datetime'{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z'"
