"""The Durable extension of a running host: the hub's worker, the management API and the client bindings."""

from __future__ import annotations

from collections.abc import Mapping

from local_azure.engine.service import Worker

from .host_config import DurableConfig
from .hubs import Hubs, hub_settings
from .keys import EXTENSION_KEY, KeyStore
from .management_api import ManagementApi
from .management_urls import Required, client_binding
from .python_app import Function, FunctionApp
from .sdk import SdkCode
from .user_code import UserCode


class Durable:
    """One app's worker on its hub, and everything that talks to that hub."""

    def __init__(
        self,
        config: DurableConfig,
        settings: Mapping[str, str],
        app: FunctionApp,
        user_code: UserCode,
        keys: KeyStore,
    ) -> None:
        self.config = config
        self.code = SdkCode(app, user_code, self.client_arguments)
        self._keys = keys
        self._hubs = Hubs(config, settings)
        self.api = ManagementApi(self._hubs, self._system_key)
        own = hub_settings(config, settings, hub_name=config.hub_name, connection_name=config.connection_name)
        self._worker = Worker(own, self.code)
        self._origin = self._rpc_base_url = ""

    async def start(self, public_origin: str, rpc_base_url: str) -> None:
        """Open the hub and begin to work."""
        self._origin, self._rpc_base_url = public_origin, rpc_base_url
        await self._hubs.get()
        await self._worker.start()

    def _system_key(self) -> str:
        return self._keys.current.system.get(EXTENSION_KEY, "")

    def client_arguments(self, function: Function) -> dict[str, str]:
        """The durable client bindings of a function, as the SDK's decorators want them: JSON text by argument name."""
        return {str(binding["name"]): self._binding(binding) for binding in function.client_bindings}

    def _binding(self, binding: Mapping[str, object]) -> str:
        hub = str(binding.get("taskHub") or self.config.hub_name)
        connection = str(binding.get("connectionName") or self.config.connection_name)
        return client_binding(self._origin, self._rpc_base_url, Required(hub, connection, self._system_key()))

    async def stop_work(self) -> None:
        """Finish turns and give the partitions back."""
        await self._worker.stop(graceful=True)

    async def close(self) -> None:
        """Close the connections."""
        await self._hubs.close()
