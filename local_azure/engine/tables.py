"""The History and Instances tables: loading and appending a history, and the row that shows an instance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from local_azure.engine.blobs import LargePayloads, fetch_large_columns, fits_column, move_large_columns
from local_azure.engine.errors import LostOwnership
from local_azure.engine.history import Event, EventKind, compact_json, from_row, to_row
from local_azure.engine.instances import InstanceState, Status
from local_azure.engine.names import SENTINEL, escape_key, quote, unescape_key
from local_azure.engine.storage import HubStorage
from local_azure.engine.table_client import ETAG, Operation, Row, Token
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


class InstanceStore:
    """Rows of instances."""

    def __init__(self, storage: HubStorage, payloads: LargePayloads) -> None:
        self._table = storage.instances
        self._payloads = payloads
        self._hub_name = storage.settings.hub_name

    async def row(self, instance_id: str) -> Row | None:
        """Read the row, with its `etag`; None when there is none."""
        return await self._table.get(escape_key(instance_id), "")

    async def put_pending(self, started: Event, input_url: str | None, replaced_etag: str | None) -> None:
        """Write the Pending row of an accepted start; a row that changed meanwhile wins, as with the real engine."""
        instance = started["OrchestrationInstance"]
        row = {
            "PartitionKey": escape_key(instance["InstanceId"]),
            "RowKey": "",
            "Input": input_url or started["Input"],
            "CreatedTime": started.timestamp,
            "Name": started["Name"],
            "Version": started["Version"],
            "RuntimeStatus": Status.PENDING.value,
            "LastUpdatedTime": utcnow(),
            "TaskHubName": self._hub_name,
            "ScheduledStartTime": started["ScheduledStartTime"],
            "ExecutionId": instance["ExecutionId"],
            "Generation": started["Generation"],
            "Tags": compact_json(started["Tags"]),
        }
        try:
            if replaced_etag is None:
                await self._table.insert(row)
            else:
                await self._table.replace(row, replaced_etag)
        except StorageError as error:
            if error.status not in (404, 409, 412):  # the first checkpoint was quicker
                raise

    async def checkpoint(
        self,
        instance_id: str,
        execution_id: str,
        new_events: Sequence[Event],
        custom_status: str | None,
        moved: dict[str, str],
    ) -> None:
        """Bring the row up to a checkpoint's history."""
        row: Row = {
            "PartitionKey": escape_key(instance_id),
            "RowKey": "",
            "CustomStatus": custom_status if custom_status is not None else "null",
            "ExecutionId": execution_id,
            "LastUpdatedTime": new_events[-1].timestamp,
            "TaskHubName": self._hub_name,
        }
        for event in new_events:
            if event.kind is EventKind.ExecutionStarted:
                row |= {
                    "Name": event["Name"],
                    "Version": event["Version"],
                    "CreatedTime": event.timestamp,
                    "RuntimeStatus": Status.RUNNING.value,
                    "Tags": compact_json(event["Tags"]),
                    "Generation": event["Generation"],
                    "Input": moved.get("ExecutionStarted.Input", event["Input"]),
                }
                if event["ScheduledStartTime"] is not None:
                    row["ScheduledStartTime"] = event["ScheduledStartTime"]
            elif event.kind is EventKind.ExecutionCompleted:
                row |= {
                    "RuntimeStatus": event["OrchestrationStatus"],
                    "CompletedTime": utcnow(),
                    "Output": moved.get("ExecutionCompleted.Result", _output(event)),
                }
            elif event.kind is EventKind.ExecutionSuspended:
                row |= {"RuntimeStatus": Status.SUSPENDED.value, "Output": event["Reason"]}
            elif event.kind is EventKind.ExecutionResumed:
                row |= {"RuntimeStatus": Status.RUNNING.value, "Output": event["Reason"]}
        await self._merge(row)

    async def repair_ended(self, instance_id: str, completed: Event, execution_id: str | None) -> None:
        """Bring a row that still shows its instance as live up to a history that has ended."""
        row = await self.row(instance_id)
        if row is None or execution_id is None or row.get("ExecutionId") != execution_id:
            return
        if not Status.parse(row.get("RuntimeStatus")).is_terminal:
            await self.checkpoint(instance_id, execution_id, [completed], row.get("CustomStatus"), {})

    async def _merge(self, row: Row) -> None:
        for column in ("Input", "Output", "CustomStatus"):
            value = row.get(column)
            if isinstance(value, str) and not fits_column(value):
                name = f"{row['PartitionKey']}/instance-{row['ExecutionId']}-{column}.json.gz"
                row[column] = await self._payloads.save(name, value)
        await self._table.insert_or_merge(row)

    async def reopen(self, instance_id: str) -> None:
        """Rewind's change of the row: Pending again, nothing else touched."""
        row = {
            "PartitionKey": escape_key(instance_id),
            "RowKey": "",
            "RuntimeStatus": Status.PENDING.value,
            "LastUpdatedTime": utcnow(),
        }
        await self._table.merge(row)

    async def delete(self, instance_id: str) -> None:
        """Delete the row."""
        await self._table.delete(escape_key(instance_id), "")

    async def page(
        self, condition: str | None, select: Sequence[str] | None, top: int, token: Token | None
    ) -> tuple[list[Row], Token | None]:
        """One page of rows and the store's own continuation token."""
        return await self._table.page(condition, select=select, top=top, token=token)

    async def to_state(self, row: Row, *, fetch_input: bool = True, fetch_output: bool = True) -> InstanceState:
        """A row as the hub's clients see it."""
        created = row.get("CreatedTime") or row["LastUpdatedTime"]
        return InstanceState(
            instance_id=unescape_key(row["PartitionKey"]),
            name=row.get("Name") or "",
            version=row.get("Version"),
            execution_id=row.get("ExecutionId") or "",
            status=Status.parse(row.get("RuntimeStatus")),
            input=await self._payloads.resolve(row.get("Input")) if fetch_input else None,
            output=await self._payloads.resolve(row.get("Output")) if fetch_output else None,
            custom_status=row.get("CustomStatus"),
            created_time=created,
            last_updated_time=row.get("LastUpdatedTime") or created,
            completed_time=row.get("CompletedTime"),
            scheduled_start_time=row.get("ScheduledStartTime"),
            generation=row.get("Generation") or 0,
            tags=row.get("Tags"),
            hub_name=row.get("TaskHubName"),
        )


def _output(completed: Event) -> str | None:
    """What the row shows as the output: the result, or the failure in one line."""
    details = completed["FailureDetails"]
    if completed["Result"] is None and details is not None:
        return f"{details['ErrorType']}: {details['ErrorMessage']}"
    result: str | None = completed["Result"]
    return result
