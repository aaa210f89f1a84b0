"""The parts that a client and a worker of one hub share: storage, payloads, queues, stores."""

from __future__ import annotations

import asyncio
import weakref

from local_azure.engine.blobs import LargePayloads
from local_azure.engine.history_store import HistoryStore
from local_azure.engine.instance_store import InstanceStore
from local_azure.engine.queues import HubQueues, Wakeups
from local_azure.engine.settings import HubSettings
from local_azure.engine.storage import HubStorage
from local_azure.engine.wire import ExchangeHook

# Clients and workers of one hub in one event loop wake each other, so that a start is taken at once.
_wakeups: weakref.WeakValueDictionary[tuple[int, str, str], Wakeups] = weakref.WeakValueDictionary()


def shared_wakeups(settings: HubSettings) -> Wakeups:
    """The wake-ups of a hub in this event loop."""
    key = (id(asyncio.get_running_loop()), settings.connection_string, settings.hub_name.lower())
    found = _wakeups.get(key)
    if found is None:
        found = _wakeups[key] = Wakeups()
    return found


class HubParts:
    """Opened in a running event loop."""

    def __init__(self, settings: HubSettings, on_exchange: ExchangeHook | None = None) -> None:
        self.settings = settings
        self.storage = HubStorage(settings, on_exchange)
        self.payloads = LargePayloads(self.storage)
        self.wakeups = shared_wakeups(settings)
        self.queues = HubQueues(self.storage, self.payloads, self.wakeups)
        self.history = HistoryStore(self.storage, self.payloads)
        self.instances = InstanceStore(self.storage, self.payloads)

    async def close(self) -> None:
        """Close the connections."""
        await self.storage.close()
