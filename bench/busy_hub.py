"""Makes a task hub with many finished instances and some running ones, the way the engine leaves it in storage."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

PARTITIONS = 4
# More does not help: Azurite is one process and busy with eight already.
WRITERS = 16


@dataclass(frozen=True)
class BusyHub:
    """One hub in one storage account: `rows` instances, of which `live` are running."""

    connection_string: str
    name: str
    rows: int
    live: int

    async def make(self) -> None:
        """Create the hub's tables, queues and containers, and write its instance rows."""
        async with TableServiceClient.from_connection_string(self.connection_string) as tables:
            await tables.create_table(f"{self.name}History")
            partitions = await tables.create_table(f"{self.name}Partitions")
            for index in range(PARTITIONS):
                queue = f"{self.name.lower()}-control-{index:02d}"
                await partitions.create_entity({"PartitionKey": "", "RowKey": queue, "CurrentOwner": "bench"})
            await self._write(await tables.create_table(f"{self.name}Instances"), self._instances())
        async with QueueServiceClient.from_connection_string(self.connection_string) as queues:
            for index in range(PARTITIONS):
                await queues.create_queue(f"{self.name.lower()}-control-{index:02d}")
            await queues.create_queue(f"{self.name.lower()}-workitems")
        async with BlobServiceClient.from_connection_string(self.connection_string) as blobs:
            await blobs.create_container(f"{self.name.lower()}-largemessages")

    async def finish_all(self) -> None:
        """Let every running instance be completed, then wait until those writes lie in the store's past."""
        done = (
            {"PartitionKey": row["PartitionKey"], "RowKey": "", "RuntimeStatus": "Completed"}
            for row in self._instances()
            if row["RuntimeStatus"] == "Running"
        )
        async with TableClient.from_connection_string(self.connection_string, f"{self.name}Instances") as table:
            for row in done:
                await table.update_entity(row, mode=UpdateMode.MERGE)
        # The store's Date header has whole seconds: rows of this very second would count as changed meanwhile.
        await asyncio.sleep(2)

    async def _write(self, table: TableClient, rows: Iterator[dict[str, Any]]) -> None:
        async def write() -> None:
            for row in rows:  # all writers draw from the one iterator
                await table.create_entity(row)

        await asyncio.gather(*(write() for _ in range(WRITERS)))

    def _instances(self) -> Iterator[dict[str, Any]]:
        began = datetime(2026, 1, 1, tzinfo=UTC)
        every = max(1, self.rows // self.live) if self.live else self.rows + 1
        live = 0
        for index in range(self.rows):
            is_live = index % every == 0 and live < self.live
            live += is_live
            created = began + timedelta(seconds=index)
            instance = uuid.uuid5(uuid.NAMESPACE_OID, f"{self.name}{index}").hex
            yield {
                "PartitionKey": instance,
                "RowKey": "",
                "ExecutionId": instance[::-1],
                "Name": "order",
                "Input": json.dumps(
                    {"order": f"N-{index:06d}", "lines": [{"sku": "A-1", "quantity": 2, "cents": 450}]}
                ),
                "CustomStatus": "null",
                "CreatedTime": created,
                "LastUpdatedTime": created + timedelta(seconds=3),
                "RuntimeStatus": "Running" if is_live else "Completed",
                "TaskHubName": self.name,
                "Generation": 0,
            }
