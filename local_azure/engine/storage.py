"""The clients of one hub's storage, and the making of the hub on its first touch."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.storage.blob.aio import BlobServiceClient, ContainerClient
from azure.storage.queue import TextBase64DecodePolicy, TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from local_azure.engine import names
from local_azure.engine.settings import HubSettings

ResponseHook = Callable[[Any], None]

_CLIENT_OPTIONS: dict[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.2, "connection_timeout": 10}


class HubStorage:
    """Storage of one hub: queues, tables, blobs.

    `on_response` is called with every response of the store (azure-core's raw response hook): a test sees the order
    of operations through it.
    """

    def __init__(self, settings: HubSettings, on_response: ResponseHook | None = None) -> None:
        self.settings = settings
        options = dict(_CLIENT_OPTIONS)
        if on_response is not None:
            options["raw_response_hook"] = on_response
        main, tracking = settings.connection_string, settings.tracking_connection_string
        self._queue_service = QueueServiceClient.from_connection_string(
            main,
            message_encode_policy=TextBase64EncodePolicy(),
            message_decode_policy=TextBase64DecodePolicy(),
            **options,
        )
        self._table_service = TableServiceClient.from_connection_string(main, **options)
        self._tracking_service = (
            TableServiceClient.from_connection_string(tracking, **options) if tracking else self._table_service
        )
        self._blob_service = BlobServiceClient.from_connection_string(main, **options)
        self.instances: TableClient = self._tracking_service.get_table_client(settings.instances_table)
        self.history: TableClient = self._tracking_service.get_table_client(settings.history_table)
        self.partitions: TableClient = self._table_service.get_table_client(names.partitions_table(settings.hub_name))
        self.large_messages: ContainerClient = self._blob_service.get_container_client(
            names.large_messages_container(settings.hub_name)
        )
        self.app_lease: ContainerClient = self._blob_service.get_container_client(
            names.app_lease_container(settings.hub_name)
        )
        self._queues: dict[str, QueueClient] = {}
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

    def queue(self, name: str) -> QueueClient:
        """Client of one queue."""
        if name not in self._queues:
            self._queues[name] = self._queue_service.get_queue_client(
                name, message_encode_policy=TextBase64EncodePolicy(), message_decode_policy=TextBase64DecodePolicy()
            )
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
        if await _created(self.app_lease.create_container):
            blob = self.app_lease.get_blob_client(names.app_lease_blob(self.settings.hub_name))
            with contextlib.suppress(ResourceExistsError):
                await blob.upload_blob(b"{}", overwrite=False)
        await _created(self.partitions.create_table)
        await asyncio.gather(_created(self.history.create_table), _created(self.instances.create_table))
        await _created(self.queue(self.work_item_queue_name).create_queue)
        await asyncio.gather(*(self._create_partition(name) for name in self.control_queue_names))

    async def _create_partition(self, name: str) -> None:
        await _created(self.queue(name).create_queue)
        row = {"PartitionKey": "", "RowKey": name, "IsDraining": False}
        with contextlib.suppress(ResourceExistsError):
            await self.partitions.create_entity(row)

    async def close(self) -> None:
        """Close every connection."""
        services: list[Any] = [self._queue_service, self._table_service, self._blob_service]
        if self._tracking_service is not self._table_service:
            services.append(self._tracking_service)
        for service in services:
            await service.close()


async def _created(create: Callable[[], Awaitable[Any]]) -> bool:
    """Create something; False when it was there."""
    try:
        await create()
    except ResourceExistsError:
        return False
    except HttpResponseError as error:
        if error.status_code == 409:
            return False
        raise
    return True
