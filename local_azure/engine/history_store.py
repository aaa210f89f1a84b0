"""The History table: loading a history, appending to it under its sentinel, marking and deleting its rows."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from local_azure.engine.blobs import LargePayloads, fetch_large_columns, move_large_columns
from local_azure.engine.errors import LostOwnership
from local_azure.engine.history import Event, EventKind, from_row, to_row
from local_azure.engine.names import SENTINEL, escape_key, quote
from local_azure.engine.storage import HubStorage
from local_azure.engine.table_client import ETAG, Operation, Row
from local_azure.engine.times import utcnow
from local_azure.engine.wire import StorageError

MAX_EVENTS_IN_BATCH = 99
MAX_BYTES_IN_BATCH = 3 * 1024 * 1024


@dataclass
class StoredHistory:
    """The history of the latest execution, and the ETag under which it may be continued."""

    execution_id: str | None = None
    events: list[Event] = field(default_factory=list)
    etag: str | None = None
    checkpoint_time: datetime | None = None

    @property
    def started(self) -> Event | None:
        """The event that started this execution."""
        return next((event for event in self.events if event.kind is EventKind.ExecutionStarted), None)

    @property
    def completed(self) -> Event | None:
        """The event that ended it."""
        return next((event for event in self.events if event.kind is EventKind.ExecutionCompleted), None)


class HistoryStore:
    """Rows of histories."""

    def __init__(self, storage: HubStorage, payloads: LargePayloads) -> None:
        self._table = storage.history
        self._payloads = payloads

    async def load(self, instance_id: str) -> StoredHistory:
        """Read the latest execution's events; rows that an earlier execution left behind are passed over."""
        rows = [row async for row in self.rows(instance_id)]
        stored = StoredHistory()
        if not rows:
            return stored
        if rows[-1]["RowKey"] == SENTINEL:
            sentinel = rows.pop()
            stored.execution_id = sentinel["ExecutionId"]
            stored.etag = sentinel[ETAG]
            stored.checkpoint_time = sentinel["CheckpointCompletedTimestamp"]
        elif rows:
            stored.execution_id = rows[0]["ExecutionId"]
        for row in rows:
            if row["ExecutionId"] != stored.execution_id:
                break
            await fetch_large_columns(row, self._payloads)
            stored.events.append(from_row(row))
        return stored

    async def rows(self, instance_id: str) -> AsyncIterator[Row]:
        """All rows of an instance in order, the sentinel last; each with its `etag`."""
        query = f"PartitionKey eq {quote(escape_key(instance_id))}"
        async for row in self._table.query(query):
            yield row

    async def append(
        self,
        instance_id: str,
        execution_id: str,
        first_sequence: int,
        events: Sequence[Event],
        etag: str | None,
    ) -> tuple[str, dict[str, str]]:
        """Write events from a sequence number on, and the sentinel with them.

        Returns the sentinel's new ETag, and the URLs of large columns that went into blobs, by column (for the
        instance's row). Raises LostOwnership when the sentinel is not the one of `etag`.
        """
        partition_key = escape_key(instance_id)
        rows: list[Row] = []
        moved: dict[str, str] = {}
        for offset, event in enumerate(events):
            row = to_row(event, partition_key, first_sequence + offset, execution_id)
            urls = await move_large_columns(row, self._payloads)
            moved |= {f"{event.kind.name}.{column}": url for column, url in urls.items()}
            rows.append(row)
        batches = _split(rows)
        for number, batch in enumerate(batches):
            sentinel = {
                "PartitionKey": partition_key,
                "RowKey": SENTINEL,
                "ExecutionId": execution_id,
                "IsCheckpointComplete": number == len(batches) - 1,
                "CheckpointCompletedTimestamp": utcnow(),
            }
            operations = [Operation.insert_or_replace(row) for row in batch]
            operations.append(Operation.insert(sentinel) if etag is None else Operation.merge(sentinel, etag))
            try:
                etag = await self._table.transaction(operations)
            except StorageError as error:
                if error.status in (404, 409, 412):
                    raise LostOwnership(f"the history of {instance_id!r} was written by somebody else") from error
                raise
        assert etag is not None
        return etag, moved

    async def turn_into_generic(self, row: Row) -> None:
        """Rewind's mark: the event stands as a GenericEvent from now on, so that replay passes it over."""
        changed = {**row, "Reason": f"Rewound: {row['EventType']}", "EventType": EventKind.GenericEvent.name}
        await self._table.replace(changed, row[ETAG])

    async def delete(self, instance_id: str) -> None:
        """Delete all rows of an instance."""
        partition_key = escape_key(instance_id)
        keys = [row["RowKey"] async for row in self.rows(instance_id)]
        for start in range(0, len(keys), 100):
            doomed = keys[start : start + 100]
            await self._table.transaction(
                [Operation.delete({"PartitionKey": partition_key, "RowKey": key}) for key in doomed]
            )
        await self._payloads.delete_of(partition_key)


def _split(rows: list[Row]) -> list[list[Row]]:
    """Cut into transactions that the store accepts."""
    batches: list[list[Row]] = [[]]
    size = 0
    for row in rows:
        bytes_of_row = sum(len(value) * 2 for value in row.values() if isinstance(value, str)) + 500
        if len(batches[-1]) == MAX_EVENTS_IN_BATCH or size + bytes_of_row > MAX_BYTES_IN_BATCH:
            batches.append([])
            size = 0
        batches[-1].append(row)
        size += bytes_of_row
    return batches
