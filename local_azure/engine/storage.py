"""The clients of one hub's storage, and the making of the hub on its first touch."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from local_azure.engine import names
from local_azure.engine.queue_client import Queue
from local_azure.engine.settings import HubSettings
from local_azure.engine.table_client import Table
from local_azure.engine.wire import Account, ExchangeHook, StorageError, Wire

_BLOB_OPTIONS: dict[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.2, "connection_timeout": 10}


class HubStorage:
    """Storage of one hub: queues, tables, blobs.

    `on_exchange` is called after every request to queues and tables: a test sees their order through it.
    """

    def __init__(self, settings: HubSettings, on_exchange: ExchangeHook | None = None) -> None:
        self.settings = settings
        main, tracking = settings.connection_string, settings.tracking_connection_string
        self._wire = Wire(Account.parse(main), on_exchange)
        self._tracking_wire = Wire(Account.parse(tracking), on_exchange) if tracking else self._wire
        self._blob_service = BlobServiceClient.from_connection_string(main, **_BLOB_OPTIONS)
        self.instances = Table(self._tracking_wire, settings.instances_table)
        self.history = Table(self._tracking_wire, settings.history_table)
        self.partitions = Table(self._wire, names.partitions_table(settings.hub_name))
        self.large_messages: ContainerClient = self._blob_service.get_container_client(
            names.large_messages_container(settings.hub_name)
        )
        self.app_lease: ContainerClient = self._blob_service.get_container_client(
            names.app_lease_container(settings.hub_name)
        )
        self._queues: dict[str, Queue] = {}
        self._ensured = False
        self._ensuring = asyncio.Lock()

    @property
    def control_queue_names(self) -> list[str]:
        """The hub's control queues, in order."""
        return [names.control_queue(self.settings.hub_name, i) for i in range(self.settings.partition_count)]

    @property
    def work_item_queue_name(self) -> str:
        """The hub's queue of activities."""
        return names.work_item_queue(self.settings.hub_name)

    def control_queue_of(self, instance_id: str) -> str:
        """The control queue of an instance."""
        return names.control_queue_of(self.settings.hub_name, instance_id, self.settings.partition_count)

    def queue(self, name: str) -> Queue:
        """One queue."""
        if name not in self._queues:
            self._queues[name] = Queue(self._wire, name)
        return self._queues[name]

    async def ensure_hub(self) -> None:
        """Make whatever the hub lacks. The engine does so on its first touch, be it a mere question."""
        if self._ensured:
            return
        async with self._ensuring:
            if not self._ensured:
                await self._create_hub()
                self._ensured = True

    async def _create_hub(self) -> None:
        with contextlib.suppress(ResourceExistsError):
            await self.app_lease.create_container()
            blob = self.app_lease.get_blob_client(names.app_lease_blob(self.settings.hub_name))
            await blob.upload_blob(b"{}", overwrite=False)
        await self.partitions.create()
        await asyncio.gather(self.history.create(), self.instances.create())
        await self.queue(self.work_item_queue_name).create()
        await asyncio.gather(*(self._create_partition(name) for name in self.control_queue_names))

    async def _create_partition(self, name: str) -> None:
        await self.queue(name).create()
        try:
            await self.partitions.insert({"PartitionKey": "", "RowKey": name, "IsDraining": False})
        except StorageError as error:
            if error.status != 409:
                raise

    async def close(self) -> None:
        """Close every connection."""
        await self._wire.close()
        if self._tracking_wire is not self._wire:
            await self._tracking_wire.close()
        await self._blob_service.close()
