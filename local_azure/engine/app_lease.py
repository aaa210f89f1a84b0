"""The app lease: of two apps on one hub only one works. All workers of one app hold the same lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Awaitable, Callable

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob.aio import BlobLeaseClient

from local_azure.engine.history import compact_json
from local_azure.engine.names import app_lease_blob, fnv1a
from local_azure.engine.settings import HubSettings
from local_azure.engine.storage import HubStorage

logger = logging.getLogger(__name__)

_DURATION_SECONDS = 60
_RENEW_SECONDS = 25.0


def lease_id(app_name: str) -> str:
    """The lease id of an app: FNV-1a of its name in front of a GUID of zeros."""
    return str(uuid.UUID(int=fnv1a(app_name) << 96))


class AppLease:
    """Runs `start` when this app has the lease and `stop` when it has lost it."""

    def __init__(
        self,
        settings: HubSettings,
        storage: HubStorage,
        start: Callable[[], Awaitable[None]],
        stop: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._start = start
        self._stop = stop
        self._id = lease_id(settings.app_name)
        self._held = False
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Try to take the lease once, then go on in the background."""
        self._held = await self._acquire()
        if self._held:
            await self._start()
        else:
            logger.warning(
                "another app holds the lease of task hub %s: this one starts no work and tries again every %.0f s",
                self._settings.hub_name,
                self._settings.app_lease_retry_interval.total_seconds(),
            )
        self._task = asyncio.create_task(self._run(), name="app lease")

    async def _run(self) -> None:
        while True:
            retry = self._settings.app_lease_retry_interval.total_seconds()
            await asyncio.sleep(_RENEW_SECONDS if self._held else retry)
            try:
                acquired = await self._acquire()
            except AzureError as error:
                # The lease outlives one missed renewal; work goes on until somebody else has it.
                logger.warning("could not renew the app lease of %s: %s", self._settings.hub_name, error)
                continue
            if acquired and not self._held:
                self._held = True
                await self._start()
            elif self._held and not acquired:
                logger.error("lost the app lease of task hub %s: stopping work", self._settings.hub_name)
                self._held = False
                await self._stop()

    async def _acquire(self) -> bool:
        """Take or renew: taking a lease again under its own id renews it."""
        try:
            await self._storage.app_lease.acquire_lease(lease_duration=_DURATION_SECONDS, lease_id=self._id)
            if not self._held:
                info = compact_json({"OwnerId": self._id, "DesiredSwapId": None})
                blob = self._storage.app_lease.get_blob_client(app_lease_blob(self._settings.hub_name))
                await blob.upload_blob(info.encode(), overwrite=True)
        except HttpResponseError as error:
            if error.status_code == 409:
                return False
            raise
        return True

    async def stop(self, *, graceful: bool) -> None:
        """Give the lease back when graceful."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if graceful and self._held:
            with contextlib.suppress(AzureError):  # it runs out by itself within a minute
                await BlobLeaseClient(self._storage.app_lease, lease_id=self._id).release()
        self._held = False
