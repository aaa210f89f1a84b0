"""Replays a film's operations into a real storage account, and holds its queues at the film's own time.

A film runs through in a fraction of the time that it took, so the store's clock cannot hide and show its messages. The
replay does it: a message that is hidden at a frame is hidden for days, one that is visible is made so. Rows keep the
store's own Timestamps. Every name gets a prefix, so that films of one hub name can share an account.
"""

from __future__ import annotations

import base64
import json
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from films.film import FilmHub, Frame
from zdd.core.host_json import StorageKind, StorageReference, TaskHubBinding
from zdd.hooks.storage_clients import StoreClock

_HIDDEN_SECONDS = 6 * 24 * 3600


@dataclass
class _Message:
    """A message in the store, with what is needed to hide and to show it."""

    queue: str
    message_id: str
    receipt: str
    visible_at: datetime
    is_hidden: bool


class FilmClock(StoreClock):
    """The time of a replay: rows are judged by the store's own clock, timers and quiet windows by the film's.

    Both run on one machine, so the store's time is known exactly, where a Date header has whole seconds only; between
    two frames nothing moves, so no proof is void for that.
    """

    def __init__(self, start: datetime) -> None:
        self.film = start

    def earliest(self, date: datetime) -> datetime:  # noqa: ARG002
        """The real time: everything that the replay wrote is older."""
        return datetime.now(UTC)

    def latest(self, date: datetime) -> datetime:  # noqa: ARG002
        """The film's time."""
        return self.film


class FilmStore:
    """One film's hubs in a storage account."""

    def __init__(self, connection_string: str, prefix: str, *, base64_messages: bool) -> None:
        self._connection_string = connection_string
        self._prefix = prefix
        self._base64 = base64_messages
        self._messages: dict[str, _Message] = {}
        self._queues: dict[str, QueueClient] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> FilmStore:
        text, enter = self._connection_string, self._stack.enter_async_context
        self._tables = await enter(TableServiceClient.from_connection_string(text, use_env_settings=False))
        self._queue_service = await enter(QueueServiceClient.from_connection_string(text, use_env_settings=False))
        self._blobs = await enter(BlobServiceClient.from_connection_string(text, use_env_settings=False))
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def binding(self, hub: FilmHub) -> TaskHubBinding:
        """The binding under which a reader finds this hub."""
        storage = StorageReference(
            "Film", StorageKind.CONNECTION_STRING, connection_string=self._connection_string, account="film"
        )
        prefix = hub.tracking_prefix
        return TaskHubBinding(
            hub_name=self._prefix + hub.name,
            storage=storage,
            tracking_storage=storage if prefix else None,
            tracking_prefix=self._prefix + prefix if prefix else None,
        )

    async def apply(self, frame: Frame) -> None:
        """Do what the recorded operation did."""
        operation = frame.operation
        if operation["op"] == "read":
            return
        match operation["service"]:
            case "table":
                await self._apply_to_table(operation)
            case "queue":
                await self._apply_to_queue(operation, frame.time)
            case "blob":
                await self._apply_to_blob(operation)

    async def show(self, now: datetime) -> None:
        """Hide and show messages so that the queues look as they did at this time of the film."""
        for message in self._messages.values():
            hide = message.visible_at > now
            if hide == message.is_hidden:
                continue
            answer: Any = await self._queues[message.queue].update_message(
                message.message_id, message.receipt, visibility_timeout=_HIDDEN_SECONDS if hide else 0
            )
            message.receipt, message.is_hidden = answer.pop_receipt, hide

    async def _apply_to_table(self, operation: dict[str, Any]) -> None:
        if operation["op"] == "create-table":
            await self._tables.create_table_if_not_exists(self._prefix + operation["table"])
            return
        parts = operation["operations"] if operation["op"] == "batch" else [operation]
        table = self._tables.get_table_client(self._prefix + parts[0]["table"])
        if operation["op"] == "batch":
            await table.submit_transaction([self._transaction_part(part) for part in parts])
            return
        name, entity, options = self._transaction_part(operation)
        calls: dict[str, Any] = {
            "create": table.create_entity,
            "upsert": table.upsert_entity,
            "update": table.update_entity,
            "delete": table.delete_entity,
        }
        await calls[name](entity, **options)

    def _transaction_part(self, part: dict[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        entity = self._entity(part)
        unconditional = {"match_condition": MatchConditions.Unconditionally}
        match part["op"]:
            case "insert":
                return "create", entity, {}
            case "insert-or-merge":
                return "upsert", entity, {"mode": UpdateMode.MERGE}
            case "insert-or-replace":
                return "upsert", entity, {"mode": UpdateMode.REPLACE}
            case "merge":
                return "update", entity, {"mode": UpdateMode.MERGE, **unconditional}
            case "replace":
                return "update", entity, {"mode": UpdateMode.REPLACE, **unconditional}
            case "delete":
                return "delete", entity, dict(unconditional)
        raise ValueError(f"a film with an unknown table operation {part['op']!r}")

    def _entity(self, part: dict[str, Any]) -> dict[str, Any]:
        partition_key, row_key = part["key"]
        recorded = part.get("entity", {})
        entity: dict[str, Any] = {}
        for name, value in recorded.items():
            if value is None or name.endswith("@odata.type"):
                continue
            is_time = recorded.get(f"{name}@odata.type") == "Edm.DateTime"
            entity[name] = datetime.fromisoformat(value) if is_time else value
        if "TaskHubName" in entity:
            entity["TaskHubName"] = self._prefix + entity["TaskHubName"]
        if part["table"].endswith("Partitions"):
            row_key = self._prefix.lower() + row_key
        return {**entity, "PartitionKey": partition_key, "RowKey": row_key}

    async def _apply_to_queue(self, operation: dict[str, Any], now: datetime) -> None:
        name = self._prefix.lower() + operation["queue"]
        if name not in self._queues:
            self._queues[name] = self._queue_service.get_queue_client(name)
        queue = self._queues[name]
        visible_at = now + timedelta(seconds=operation.get("hidden_seconds") or 0)
        match operation["op"]:
            case "create-queue":
                await queue.create_queue()
            case "put-message":
                is_hidden = visible_at > now
                text = json.dumps(operation["message"])
                sent: Any = await queue.send_message(
                    base64.b64encode(text.encode()).decode() if self._base64 else text,
                    visibility_timeout=_HIDDEN_SECONDS if is_hidden else 0,
                    time_to_live=-1,
                )
                self._messages[operation["id"]] = _Message(name, sent.id, sent.pop_receipt, visible_at, is_hidden)
            case "take-messages":
                for taken in operation["taken"]:
                    self._messages[taken["id"]].visible_at = visible_at
            case "update-message":
                self._messages[operation["id"]].visible_at = visible_at
            case "delete-message":
                message = self._messages.pop(operation["id"])
                await queue.delete_message(message.message_id, message.receipt)

    async def _apply_to_blob(self, operation: dict[str, Any]) -> None:
        container = self._prefix.lower() + operation["container"]
        match operation["op"]:
            case "create-container":
                with suppress(ResourceExistsError):
                    await self._blobs.create_container(container)
            case "put-blob" if operation["blob"] == "taskhub.json":  # no reader looks at any other
                blob = self._blobs.get_blob_client(container, operation["blob"])
                await blob.upload_blob(operation["text"], overwrite=True)
