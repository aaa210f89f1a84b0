"""The worker of a hub: partitions, orchestrations, entities and activities of one app."""

from __future__ import annotations

import logging

from local_azure.engine.activities import Activities
from local_azure.engine.app_lease import AppLease
from local_azure.engine.code import FunctionCode
from local_azure.engine.control import Control
from local_azure.engine.partitions import Partitions
from local_azure.engine.parts import HubParts
from local_azure.engine.settings import HubSettings
from local_azure.engine.wire import ExchangeHook

logger = logging.getLogger(__name__)


class Worker:
    """Runs the work of one hub with the functions of one app: partitions, orchestrations, entities, activities."""

    def __init__(self, settings: HubSettings, code: FunctionCode, *, on_exchange: ExchangeHook | None = None) -> None:
        self.settings = settings
        self._code = code
        self._on_exchange = on_exchange
        self._parts: HubParts | None = None
        self._control: Control | None = None
        self._partitions: Partitions | None = None
        self._activities: Activities | None = None
        self._lease: AppLease | None = None

    @property
    def owned_queues(self) -> frozenset[str]:
        """The control queues that this worker works on now."""
        return self._partitions.owned if self._partitions is not None else frozenset()

    async def start(self) -> None:
        """Make the hub if need be and begin to work; returns when the loops run."""
        self._parts = HubParts(self.settings, self._on_exchange)
        await self._parts.storage.ensure_hub()
        if self.settings.use_app_lease:
            self._lease = AppLease(self.settings, self._parts.storage, self._begin, self._end)
            await self._lease.start()
        else:
            await self._begin()

    async def _begin(self) -> None:
        assert self._parts is not None
        parts = self._parts
        self._control = Control(self.settings, self._code, parts.queues, parts.wakeups, parts.history, parts.instances)
        self._partitions = Partitions(self.settings, parts.storage.partitions, self._control)
        self._activities = Activities(
            self.settings, self._code, parts.queues, parts.wakeups, parts.storage.work_item_queue_name
        )
        await self._partitions.start()
        self._activities.start()
        logger.info("worker %s works on task hub %s", self.settings.worker_id, self.settings.hub_name)

    async def _end(self, *, graceful: bool = True) -> None:
        if self._activities is not None:
            await self._activities.stop(graceful=graceful)
        if self._partitions is not None:
            await self._partitions.stop(graceful=graceful)
        if self._control is not None:
            await self._control.kill()
        self._activities = self._partitions = self._control = None

    async def stop(self, *, graceful: bool = True) -> None:
        """Stop: finish orchestrator turns and give the partitions back when graceful.

        Running activities are abandoned in both cases, their messages left to the visibility timeout.
        """
        await self._end(graceful=graceful)
        if self._lease is not None:
            await self._lease.stop(graceful=graceful)
            self._lease = None
        if self._parts is not None:
            self._parts.wakeups.close()
            await self._parts.close()
            self._parts = None
