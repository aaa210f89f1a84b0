"""Makes task hubs in Azurite as the two generations of the engine leave them, for tests of the reader."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from zdd.core.host_json import StorageKind, StorageReference, TaskHubBinding
from zdd.core.instances import escape_key
from zdd.core.partitions import control_queue, control_queues, partition_of, work_item_queue

PARTITIONS = 4
EVENT_TYPES = {"ExecutionStarted": 0, "TaskScheduled": 4, "TimerFired": 11, "EventRaised": 15}


def storage(connection_string: str, setting: str = "Storage") -> StorageReference:
    """A reference by connection string."""
    return StorageReference(
        setting, StorageKind.CONNECTION_STRING, connection_string=connection_string, account="devstoreaccount1"
    )


def binding(connection_string: str, hub: str, *, tracking_prefix: str | None = None) -> TaskHubBinding:
    """The binding of a hub in this account, its rows under another prefix when one is given."""
    place = storage(connection_string)
    tracking = place if tracking_prefix else None
    return TaskHubBinding(hub, place, tracking_storage=tracking, tracking_prefix=tracking_prefix)


class HubInStorage:
    """One hub, with the writes that a test needs."""

    def __init__(self, connection_string: str, hub: str, tracking_prefix: str | None) -> None:
        self.hub = hub
        self._prefix = tracking_prefix or hub
        self._stack = AsyncExitStack()
        self.tables = TableServiceClient.from_connection_string(connection_string)
        self.queues = QueueServiceClient.from_connection_string(connection_string)
        self.blobs = BlobServiceClient.from_connection_string(connection_string)

    async def create(self, *, old: bool = False) -> None:
        """Create every part: with blob leases (old) or with the Partitions table."""
        for table in ("Instances", "History"):
            await self.tables.create_table_if_not_exists(self._prefix + table)
        for queue in (work_item_queue(self.hub), *control_queues(self.hub, PARTITIONS)):
            await self.queues.create_queue(queue)
        if old:
            await self.blobs.create_container(f"{self.hub.lower()}-leases")
            about = {"TaskHubName": self.hub, "PartitionCount": PARTITIONS}
            await self.blobs.get_blob_client(f"{self.hub.lower()}-leases", "taskhub.json").upload_blob(
                json.dumps(about)
            )
            return
        await self.tables.create_table(f"{self.hub}Partitions")
        partitions = self.tables.get_table_client(f"{self.hub}Partitions")
        for queue in control_queues(self.hub, PARTITIONS):
            await partitions.create_entity({"PartitionKey": "", "RowKey": queue, "CurrentOwner": "worker"})

    async def row(self, instance: str, status: str = "Running", *, hub: str | None = "", **columns: Any) -> None:
        """Write an instance row; `hub` None leaves TaskHubName out, as old engines do for children."""
        entity = {"PartitionKey": escape_key(instance), "RowKey": "", "RuntimeStatus": status, "Name": "Order"}
        if hub is not None:
            entity["TaskHubName"] = hub or self.hub
        await self.tables.get_table_client(f"{self._prefix}Instances").upsert_entity({**entity, **columns})

    async def rows(self, instances: Iterable[str], status: str) -> None:
        """Write many rows."""
        places = asyncio.Semaphore(16)

        async def write(instance: str) -> None:
            async with places:
                await self.row(instance, status)

        await asyncio.gather(*(write(instance) for instance in instances))

    async def history(self, instance: str, event: str, number: int = 0, **columns: Any) -> None:
        """Write a history event."""
        key = {"PartitionKey": escape_key(instance), "RowKey": f"{number:016X}"}
        entity = {**key, "EventType": event, "EventId": number, "ExecutionId": "run", **columns}
        await self.tables.get_table_client(f"{self._prefix}History").upsert_entity(entity)

    async def timer(self, instance: str, fire_at: datetime, number: int = 0) -> None:
        """Write a TimerCreated event."""
        await self.history(instance, "TimerCreated", number, FireAt=fire_at)

    async def message(
        self, instance: str, kind: str = "EventRaised", *, hidden: int = 0, work_item: bool = False
    ) -> None:
        """Put a message as the engine does, in Base64."""
        body = {
            "TaskMessage": {
                "Event": {"EventType": EVENT_TYPES[kind]},
                "OrchestrationInstance": {"InstanceId": instance, "ExecutionId": "run"},
            }
        }
        queue = work_item_queue(self.hub) if work_item else control_queue(self.hub, partition_of(instance, PARTITIONS))
        text = base64.b64encode(json.dumps(body).encode()).decode()
        await self.queues.get_queue_client(queue).send_message(text, visibility_timeout=hidden)

    async def close(self) -> None:
        """Close the clients."""
        for client in (self.tables, self.queues, self.blobs):
            await client.close()


@asynccontextmanager
async def hub_in_storage(
    connection_string: str, hub: str, *, old: bool = False, tracking_prefix: str | None = None
) -> AsyncIterator[HubInStorage]:
    """A hub that exists."""
    made = HubInStorage(connection_string, hub, tracking_prefix)
    try:
        await made.create(old=old)
        yield made
    finally:
        await made.close()
