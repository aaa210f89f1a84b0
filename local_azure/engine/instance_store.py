"""The Instances table: the row that shows an instance, from the accepted start to the end."""

from __future__ import annotations

from collections.abc import Sequence

from local_azure.engine.blobs import LargePayloads, fits_column
from local_azure.engine.history import Event, EventKind, compact_json
from local_azure.engine.instances import InstanceState, Status
from local_azure.engine.names import escape_key, unescape_key
from local_azure.engine.storage import HubStorage
from local_azure.engine.table_client import Row, Token
from local_azure.engine.times import utcnow
from local_azure.engine.wire import StorageError


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
