"""Payloads that do not fit into a message or a column: compressed blobs under the engine's names."""

from __future__ import annotations

import contextlib
import gzip
import random
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from local_azure.engine.messages import Message, from_json
from local_azure.engine.names import escape_key
from local_azure.engine.storage import HubStorage

MAX_COLUMN_BYTES = 60 * 1024  # in UTF-16, as the store counts
MAX_MESSAGE_BYTES = 60 * 1024  # as base64


def fits_column(text: str) -> bool:
    """Whether a text may stand in a column."""
    return len(text) * 2 <= MAX_COLUMN_BYTES and len(text.encode("utf-16-le", "surrogatepass")) <= MAX_COLUMN_BYTES


def fits_message(raw: bytes) -> bool:
    """Whether a message may stand in a queue."""
    return -(-len(raw) // 3) * 4 <= MAX_MESSAGE_BYTES


def message_blob_name(message: Message) -> str:
    """Name of the blob of a large message."""
    return f"{escape_key(message.instance_id)}/message-{message.activity_id.hex}-{message.kind.name}.json.gz"


def history_blob_name(partition_key: str, row_key: str, event_type: str, column: str) -> str:
    """Name of the blob of a large column of a history row."""
    salt = random.getrandbits(32)
    return f"{partition_key}/history-{row_key}-{event_type}-{salt:08X}-{column}.json.gz"


class LargePayloads:
    """The hub's container of large payloads, made when first needed."""

    def __init__(self, storage: HubStorage) -> None:
        self._container = storage.large_messages
        self._made = False

    async def save(self, name: str, text: str) -> str:
        """Write a payload; returns the blob's URL."""
        if not self._made:
            with contextlib.suppress(ResourceExistsError):  # made by an earlier process or by another worker
                await self._container.create_container()
            self._made = True
        blob = self._container.get_blob_client(name)
        await blob.upload_blob(gzip.compress(text.encode()), overwrite=True)
        return self.url(name)

    def url(self, name: str) -> str:
        """URL of a blob, as rows hold it."""
        base = urlsplit(str(self._container.url))
        return f"{base.scheme}://{base.netloc}{base.path}/{quote(name, safe='/@:')}"

    async def load(self, name: str) -> str:
        """Read a payload."""
        stream = await self._container.get_blob_client(name).download_blob()
        return gzip.decompress(await stream.readall()).decode()

    async def resolve(self, text: str | None) -> str | None:
        """A column of an instance's row: the payload itself, fetched when the column holds the URL of its blob."""
        if text is None or not text.startswith(str(self._container.url) + "/"):
            return text
        name = unquote(text[len(str(self._container.url)) + 1 :])
        try:
            payload = await self.load(name)
        except ResourceNotFoundError:
            return text
        if "/message-" not in name:
            return payload
        # A start that is still pending: its row names the blob of the whole message.
        message = from_json(payload)
        return message.event["Input"] if isinstance(message, Message) else payload

    async def delete_of(self, partition_key: str) -> None:
        """Delete every blob of one instance."""
        try:
            async for blob in self._container.list_blobs(name_starts_with=f"{partition_key}/"):
                await self._container.delete_blob(blob.name)
        except ResourceNotFoundError:
            return  # the container was never made


LARGE_COLUMNS = ("Input", "Result", "Output", "Reason", "Details", "Correlation", "FailureDetails")


async def move_large_columns(row: dict[str, Any], payloads: LargePayloads) -> dict[str, str]:
    """Move what does not fit out of a history row (in place); returns column → URL of what was moved."""
    moved: dict[str, str] = {}
    for column in LARGE_COLUMNS:
        value = row.get(column)
        if isinstance(value, str) and not fits_column(value):
            name = history_blob_name(row["PartitionKey"], row["RowKey"], row["EventType"], column)
            moved[column] = await payloads.save(name, value)
            row[column] = ""
            row[f"{column}BlobName"] = name
    return moved


async def fetch_large_columns(row: dict[str, Any], payloads: LargePayloads) -> None:
    """Bring the large columns of a history row back (in place)."""
    for column in LARGE_COLUMNS:
        name = row.pop(f"{column}BlobName", None)
        if name is not None:
            row[column] = await payloads.load(name)
