"""Queues over the wire: texts in base64, as the engine writes them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

from local_azure.engine.wire import StorageError, Wire

NEVER = "-1"


@dataclass(frozen=True)
class QueueMessage:
    """A message as it was taken."""

    id: str
    text: str
    pop_receipt: str
    dequeue_count: int
    inserted_on: datetime


class Queue:
    """One queue."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self.name = name

    async def create(self) -> bool:
        """Create the queue; False when it is there."""
        try:
            return (await self._wire.queue("PUT", f"/{self.name}")).status == 201
        except StorageError as error:
            if error.status == 409:
                return False
            raise

    async def put(self, text: str, hidden_seconds: int) -> None:
        """Put a message that never expires."""
        query = {"messagettl": NEVER}
        if hidden_seconds > 0:
            query["visibilitytimeout"] = str(hidden_seconds)
        encoded = base64.b64encode(text.encode())
        body = b"<QueueMessage><MessageText>" + encoded + b"</MessageText></QueueMessage>"
        await self._wire.queue("POST", f"/{self.name}/messages", query, body)

    async def take(self, count: int, hidden_seconds: int) -> list[QueueMessage]:
        """Take up to 32 messages and hide them."""
        query = {"numofmessages": str(count), "visibilitytimeout": str(hidden_seconds)}
        response = await self._wire.queue("GET", f"/{self.name}/messages", query)
        # Our own store's answer, not a stranger's document.
        return [_message(element) for element in ET.fromstring(response.body)]

    async def hide(self, message_id: str, pop_receipt: str, seconds: int) -> str:
        """Hide a taken message from now on; returns its new receipt. StorageError 400 or 404: not ours any more."""
        query = {"popreceipt": pop_receipt, "visibilitytimeout": str(seconds)}
        response = await self._wire.queue("PUT", f"/{self.name}/messages/{quote(message_id)}", query)
        return response.headers.get("x-ms-popreceipt", pop_receipt)

    async def delete(self, message_id: str, pop_receipt: str) -> bool:
        """Delete a taken message; False when it is not ours any more."""
        try:
            await self._wire.queue("DELETE", f"/{self.name}/messages/{quote(message_id)}", {"popreceipt": pop_receipt})
        except StorageError as error:
            if error.status in (400, 404):
                return False
            raise
        return True


def _message(element: ET.Element) -> QueueMessage:
    fields = {child.tag: child.text or "" for child in element}
    return QueueMessage(
        id=fields["MessageId"],
        text=base64.b64decode(fields["MessageText"]).decode(),
        pop_receipt=fields["PopReceipt"],
        dequeue_count=int(fields["DequeueCount"]),
        inserted_on=parsedate_to_datetime(fields["InsertionTime"]).astimezone(UTC),
    )
