"""Async storage clients for a task hub, and what their errors mean: the one place where the storage SDKs are opened.

Every answer is noted (how many, and the store's Date), so that a reader knows the store's time without asking for it.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from zdd.core.host_json import StorageKind, StorageReference
from zdd.exceptions import Unknown

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

# A poll must answer soon: the next one comes anyway.
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_OPTIONS: dict[str, Any] = {
    "retry_total": 2,
    "initial_backoff": 1,
    "increment_base": 2,
    "random_jitter_range": 1,
    "retry_backoff_factor": 0.5,
    "connection_timeout": _CONNECT_SECONDS,
    "read_timeout": _READ_SECONDS,
}
# A Date header has whole seconds: the moment it was written lies up to this much later.
_HEADER_RESOLUTION = timedelta(seconds=1)


class StorageUnreadable(Unknown):
    """The storage did not answer, or did not let us read."""


class PartMissing(Unknown):
    """A table, queue, container or blob of the hub does not exist."""


class StoreClock:
    """The store's time, as its Date headers tell it: whole seconds, so a moment lies between `earliest` and `latest`.

    A replay of a recording puts another one in its place, which tells the time of the recording.
    """

    def earliest(self, date: datetime) -> datetime:
        """The earliest moment at which an answer with this Date can have been given."""
        return date

    def latest(self, date: datetime) -> datetime:
        """The latest moment at which an answer with this Date can have been given."""
        return date + _HEADER_RESOLUTION


@dataclass
class Answers:
    """What the store's answers said about its time, and how many there were."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def note(self, response: Any) -> None:
        """Note one answer; given to the SDKs as their raw response hook."""
        self.count += 1
        header = response.http_response.headers.get("Date")
        if not header:
            return
        date = parsedate_to_datetime(header)
        self.first = date if self.first is None else min(self.first, date)
        self.last = date if self.last is None else max(self.last, date)

    def begin(self) -> None:
        """Forget the times: a reading begins."""
        self.first = self.last = None


class StorageClients:
    """Service clients of one storage account, opened at first use and closed together."""

    def __init__(self, reference: StorageReference, credential: AsyncTokenCredential | None, answers: Answers) -> None:
        self._reference = reference
        self._credential = credential
        self._answers = answers
        self._stack = AsyncExitStack()
        self._open: dict[str, Any] = {}

        # One line a request, at INFO, would drown what a person on call has to see.
        logging.getLogger("azure.core.pipeline.policies.http_logging_policy").setLevel(logging.WARNING)

    def __repr__(self) -> str:
        return f"StorageClients({self._reference.setting_name!r})"

    async def close(self) -> None:
        """Close what was opened."""
        self._open.clear()
        await self._stack.aclose()

    async def tables(self) -> Any:
        """The table service."""
        return await self._client("table", _table_service)

    async def queues(self) -> Any:
        """The queue service."""
        return await self._client("queue", _queue_service)

    async def blobs(self) -> Any:
        """The blob service."""
        return await self._client("blob", _blob_service)

    async def _client(self, service: str, service_class: Callable[[], Any]) -> Any:
        if service not in self._open:
            client = self._make(service, service_class())
            self._open[service] = await self._stack.enter_async_context(client)
        return self._open[service]

    def _make(self, service: str, kind: Any) -> Any:
        reference = self._reference
        options = {**_OPTIONS, "raw_response_hook": self._answers.note}
        if reference.kind is StorageKind.CONNECTION_STRING:
            try:
                return kind.from_connection_string(reference.connection_string or "", **options)
            except ValueError:
                # The SDK's own text may repeat parts of the string.
                raise Unknown(f"the connection string in setting {reference.setting_name} cannot be read") from None
        if reference.kind is StorageKind.IDENTITY:
            endpoint = getattr(reference, f"{service}_endpoint")
            if not endpoint:
                raise StorageUnreadable(f"setting {reference.setting_name} names no {service} endpoint")
            if self._credential is None:
                raise Unknown(f"setting {reference.setting_name} asks for an identity and none was given")
            return kind(endpoint, credential=self._credential, **options)
        if reference.kind is StorageKind.KEY_VAULT:
            raise Unknown(f"setting {reference.setting_name} is a Key Vault reference that could not be resolved")
        raise Unknown(f"setting {reference.setting_name} gives no storage connection")


def _table_service() -> Any:
    from azure.data.tables.aio import TableServiceClient

    return TableServiceClient


def _queue_service() -> Any:
    from azure.storage.queue.aio import QueueServiceClient

    return QueueServiceClient


def _blob_service() -> Any:
    from azure.storage.blob.aio import BlobServiceClient

    return BlobServiceClient


@asynccontextmanager
async def reading(what: str) -> AsyncIterator[None]:
    """Turn the SDKs' errors into ours, with a sentence that holds no secret.

    :raises PartMissing: the thing does not exist.
    :raises StorageUnreadable: it could not be read.
    """
    from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

    try:
        yield
    except ResourceNotFoundError:
        raise PartMissing(f"{what} does not exist") from None
    except HttpResponseError as error:
        raise StorageUnreadable(f"{what} could not be read: {_answer(error)}") from None
    except (AzureError, OSError, TimeoutError) as error:
        raise StorageUnreadable(
            f"{what} could not be read: {type(error).__name__}, the storage did not answer"
        ) from None


def _answer(error: Any) -> str:
    # An authentication error's own text repeats the signature that was sent: only status and code are told.
    code = getattr(error, "error_code", None) or "without an error code"
    hint = {
        401: ": the credential was not accepted",
        403: ": wrong key, or no right to read it",
    }.get(error.status_code or 0, "")
    return f"HTTP {error.status_code} {getattr(code, 'value', code)}{hint}"
