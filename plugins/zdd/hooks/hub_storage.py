"""Reads the parts of one task hub from its storage: which there are, partitions, queues. Never writes."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from zdd.core.host_json import TaskHubBinding
from zdd.core.messages import read_message
from zdd.core.observation import MAXIMUM_PEEK, QueueReading
from zdd.core.partitions import MAXIMUM_PARTITIONS
from zdd.exceptions import Unknown
from zdd.hooks.hub_tables import HubTables
from zdd.hooks.storage_clients import Answers, PartMissing, StorageClients, StorageUnreadable, reading

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential


class HubStorage:
    """The storage of one hub: queues and leases in its account, rows there or in the tracking store."""

    def __init__(self, binding: TaskHubBinding, credential: AsyncTokenCredential | None) -> None:
        self.binding = binding
        self.answers = Answers()
        self._hub = StorageClients(binding.storage, credential, self.answers)
        self._tracking = (
            StorageClients(binding.tracking_storage, credential, self.answers) if binding.tracking_storage else None
        )
        self.tables = HubTables(binding, self._tracking or self._hub)

    async def close(self) -> None:
        """Close the connections."""
        await self._hub.close()
        if self._tracking:
            await self._tracking.close()

    async def partition_count(self) -> int:
        """How many control queues the hub has: from its Partitions table, else taskhub.json, else a listing.

        :raises PartMissing: there is none of the three.
        :raises Unknown: it cannot be read, or is a number that no hub can have.
        """
        found = await self._partitions()
        if not 1 <= found <= MAXIMUM_PARTITIONS:
            raise Unknown(f"task hub {self.binding.hub_name} says that it has {found} partitions")
        return found

    async def _partitions(self) -> int:
        with suppress(PartMissing):
            if found := await self._partitions_in_table():
                return found
        unread: Unknown | None = None
        try:
            return _partition_count(await self._task_hub_json())
        except PartMissing:
            pass
        except StorageUnreadable as error:
            # A role without access to blobs: the listing of the queues tells as much, unless it tells of none.
            unread = error
        if found := await self._partitions_listed():
            return found
        raise unread or PartMissing(f"the control queues of task hub {self.binding.hub_name} do not exist")

    async def _partitions_in_table(self) -> int:
        name = f"{self.binding.hub_name}Partitions"
        async with reading(f"table {name}"):
            table = (await self._hub.tables()).get_table_client(name)
            return len([row async for row in table.list_entities(select=["RowKey"])])

    async def _task_hub_json(self) -> bytes:
        container = f"{self.binding.hub_name.lower()}-leases"
        async with reading(f"blob {container}/taskhub.json"):
            blob = (await self._hub.blobs()).get_blob_client(container, "taskhub.json")
            return bytes(await (await blob.download_blob()).readall())

    async def _partitions_listed(self) -> int:
        names = [name for name in await self._list_queues() if "-control-" in name]
        if names and names[-1] != f"{self.binding.hub_name.lower()}-control-{len(names) - 1:02d}":
            raise Unknown(f"control queues are missing: found {', '.join(names)}")
        return len(names)

    async def queue(self, name: str, began: datetime) -> QueueReading:
        """Count the messages of a queue, then peek; an empty queue, whose count is never too low, is not peeked."""
        async with reading(f"queue {name}"):
            queue = (await self._hub.queues()).get_queue_client(name)
            count = (await queue.get_queue_properties()).approximate_message_count
            if count is None:
                raise Unknown(f"queue {name} answered without a count of its messages")
            peeked = await queue.peek_messages(max_messages=MAXIMUM_PEEK) if count else []
        fresh = sum(message.inserted_on is None or message.inserted_on >= began for message in peeked)
        return QueueReading(name, count, tuple(read_message(message.content) for message in peeked), fresh)

    async def parts(self) -> tuple[str, ...]:
        """Every table, queue and container of the hub that exists, from complete listings of the account.

        On a shared tracking store its tables do not count, but rows under this hub's name do.

        :raises Unknown: a listing was not allowed or failed, so nothing may be concluded.
        """
        hub = self.binding.hub_name.lower()
        own = {f"{hub}instances", f"{hub}history", f"{hub}partitions"}
        containers = {f"{hub}-leases", f"{hub}-largemessages", f"{hub}-applease"}
        found = list(await self._list_queues())
        async with reading("the list of tables"):
            found += [t.name async for t in (await self._hub.tables()).list_tables() if t.name.lower() in own]
        async with reading("the list of containers"):
            listed = (await self._hub.blobs()).list_containers(name_starts_with=f"{hub}-")
            found += [container.name async for container in listed if container.name in containers]
        if self.binding.tracking_storage:
            with suppress(PartMissing):
                rows = await self.tables.rows_of_hub()
                found += [f"{rows} rows in {self.binding.instances_table}"] if rows else []
        return tuple(found)

    async def _list_queues(self) -> list[str]:
        hub = self.binding.hub_name.lower()
        own = re.compile(rf"{re.escape(hub)}-(control-\d\d|workitems)\Z")
        async with reading("the list of queues"):
            listed = (await self._hub.queues()).list_queues(name_starts_with=f"{hub}-")
            return sorted([queue.name async for queue in listed if own.match(queue.name)])


def _partition_count(task_hub_json: bytes) -> int:
    try:
        return int(json.loads(task_hub_json)["PartitionCount"])
    except (ValueError, KeyError, TypeError):
        raise Unknown("the task hub's taskhub.json has no readable PartitionCount") from None
