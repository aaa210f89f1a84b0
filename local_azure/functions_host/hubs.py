"""The task hubs that this host talks to: its own, and those that requests name by `taskHub=` and `connection=`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

from local_azure.engine.service import TaskHub
from local_azure.engine.settings import HubSettings, VersionFailure, VersionMatch

from .host_config import DurableConfig, connection


@dataclass(frozen=True)
class Hub:
    """A hub's client with the names under which URLs address it."""

    name: str
    connection_name: str
    client: TaskHub


class Hubs:
    """Opens each hub once."""

    def __init__(self, config: DurableConfig, settings: Mapping[str, str]) -> None:
        self._config = config
        self._settings = settings
        self._open: dict[tuple[str, str], Hub] = {}
        self._opening = asyncio.Lock()

    async def get(self, hub_name: str | None = None, connection_name: str | None = None) -> Hub:
        """The hub that a request means; by default the app's own. Raises HostConfigError for an unknown connection."""
        key = (hub_name or self._config.hub_name, connection_name or self._config.connection_name)
        async with self._opening:
            if key not in self._open:
                settings = hub_settings(self._config, self._settings, hub_name=key[0], connection_name=key[1])
                self._open[key] = Hub(*key, client=await TaskHub(settings).__aenter__())
        return self._open[key]

    async def close(self) -> None:
        """Close every connection."""
        for hub in self._open.values():
            await hub.client.close()
        self._open.clear()


def hub_settings(
    config: DurableConfig, settings: Mapping[str, str], *, hub_name: str, connection_name: str
) -> HubSettings:
    """The engine's settings for one hub of this app."""
    site = settings.get("WEBSITE_SITE_NAME") or "local"
    slot = settings.get("WEBSITE_SLOT_NAME") or "Production"
    found = HubSettings(
        hub_name=hub_name,
        connection_string=connection(settings, connection_name),
        tracking_connection_string=config.tracking_connection_string,
        tracking_prefix=config.tracking_prefix,
        partition_count=config.partition_count,
        # The same name after a restart, so that a host that was killed has its partitions back at once.
        worker_id=settings.get("WEBSITE_INSTANCE_ID") or f"{site}-{slot}".lower(),
        app_name=site,
        use_app_lease=config.use_app_lease,
        control_queue_visibility_timeout=config.control_queue_visibility,
        work_item_queue_visibility_timeout=config.work_item_queue_visibility,
        max_queue_polling_interval=config.max_queue_polling_interval,
        default_version=config.default_version,
        version_match=VersionMatch(config.version_match_strategy),
        version_failure=VersionFailure(config.version_failure_strategy),
    )
    return replace(
        found,
        max_concurrent_activities=config.max_concurrent_activities or found.max_concurrent_activities,
        max_concurrent_orchestrators=config.max_concurrent_orchestrators or found.max_concurrent_orchestrators,
    )
