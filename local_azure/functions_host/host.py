"""The host of one slot: reads the configuration, loads the app, starts the worker, and knows its own state."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from .access import Access
from .host_config import (
    DEFAULT_CONNECTION,
    DurableConfig,
    HostConfig,
    HostConfigError,
    connection,
    read_durable,
    read_host_json,
    setting,
)
from .keys import KeyStore
from .python_app import AppLoadError, Content, Function, FunctionApp, Trigger, load
from .routes import Route

if TYPE_CHECKING:
    from .durable import Durable
    from .invocation import HttpInvoker

log = logging.getLogger(__name__)

RETRY_DELAYS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)


class HostState(StrEnum):
    """The state that `/admin/host/status` reports."""

    DEFAULT = "Default"
    INITIALIZED = "Initialized"
    RUNNING = "Running"
    ERROR = "Error"


class Host:
    """State and parts of the host; `start` fills it, errors end in state Error and are reported, never raised."""

    def __init__(self, content: Path, settings: Mapping[str, str]) -> None:
        self.settings = settings
        self.state = HostState.DEFAULT
        self.errors: list[str] = []
        self.root: Path | None = None
        self.app = FunctionApp(content, {})
        self.routes: list[tuple[Route, Function]] = []
        self.route_prefix = "api"
        self.started = asyncio.Event()
        self.listen_address = "localhost"
        self.rpc_base_url = ""
        self._content_place = content
        self._content: Content | None = None
        self._may_try_again = False
        self.durable: Durable | None = None
        self.invoker: HttpInvoker | None = None
        self.access: Access | None = None

    @property
    def site(self) -> str:
        """Name of the site."""
        return self.settings.get("WEBSITE_SITE_NAME") or "local"

    @property
    def slot(self) -> str:
        """Name of the slot, `Production` for the site itself."""
        return self.settings.get("WEBSITE_SLOT_NAME") or "Production"

    @property
    def public_origin(self) -> str:
        """The address of the slot's front door."""
        scheme = self.settings.get("LOCAL_AZURE_SCHEME") or "http"
        return f"{scheme}://{self.settings.get('WEBSITE_HOSTNAME') or self.listen_address}"

    async def start(self) -> None:
        """Bring the host up; whatever is wrong with the app or its settings becomes state Error.

        Trouble of another kind, such as storage that is away, is tried again until it goes well.
        """
        delays = iter(RETRY_DELAYS_SECONDS)
        while True:
            try:
                await self._start()
            except (AppLoadError, HostConfigError) as error:
                self.fail(str(error))
            except Exception as error:
                log.exception("the host could not start")
                self.fail(f"{type(error).__name__}: {error}")
            self.started.set()
            if self.state is HostState.RUNNING or not self._may_try_again:
                return
            await asyncio.sleep(next(delays, RETRY_DELAYS_SECONDS[-1]))
            await self._let_go()

    async def _let_go(self) -> None:
        """Close what a start that failed has opened."""
        durable, self.durable = self.durable, None
        if durable is not None:
            try:
                await durable.stop_work()
                await durable.close()
            except Exception:
                log.exception("what the failed start had opened does not close")

    def fail(self, message: str) -> None:
        """Go to state Error."""
        log.error("host error: %s", message)
        self.errors = [message]
        self.state = HostState.ERROR

    async def _start(self) -> None:
        self._may_try_again = False
        if self._content is None:
            self._content = await asyncio.to_thread(Content, self._content_place)
        self.root = self._content.root
        self.access = self._make_access()
        config = self._read_config(self.root)
        self.route_prefix = config.route_prefix
        app = await asyncio.to_thread(load, self.root)
        durable = read_durable(config, self.settings) if config.has_extension_bundle or app.is_durable else None
        self.app = FunctionApp(app.root, app.functions)
        self.routes = self._make_routes()
        for function in app.functions.values():
            if function.trigger_type not in set(Trigger):
                log.warning("function %s is listed and never runs: %s", function.name, function.trigger_type)
        self.state = HostState.INITIALIZED
        self._may_try_again = True
        await self._run(durable)
        self.errors.clear()
        self.state = HostState.RUNNING
        log.info("host started: %d functions, hub %s", len(app.functions), durable.hub_name if durable else "none")

    def _make_access(self) -> Access:
        keys = KeyStore(connection(self.settings, DEFAULT_CONNECTION), self.site, self.slot)
        return Access(keys, self.settings.get("LOCAL_AZURE_INTERNAL_TOKEN"))

    def _read_config(self, root: Path) -> HostConfig:
        place = root / "host.json"
        return read_host_json(place.read_text("utf-8") if place.exists() else None, self.settings)

    def _make_routes(self) -> list[tuple[Route, Function]]:
        found = [
            (Route(f"{self.route_prefix}/{function.trigger.get('route') or function.name}"), function)
            for function in self.app.functions.values()
            if function.trigger_type == Trigger.HTTP and not self.is_disabled(function)
        ]
        return sorted(found, key=lambda item: item[0].precedence)

    def is_disabled(self, function: Function) -> bool:
        """Whether the setting `AzureWebJobs.<function>.Disabled` turns the function off."""
        for name in (f"AzureWebJobs.{function.name}.Disabled", f"AzureWebJobs_{function.name}_Disabled"):
            if (setting(self.settings, name) or "").lower() in ("1", "true"):
                return True
        return False

    def find(self, method: str, raw_path: str) -> tuple[Function, dict[str, str]] | None:
        """The HTTP function that a path means, with its route parameters."""
        for route, function in self.routes:
            methods = function.trigger.get("methods")
            if methods and method not in {str(item).upper() for item in methods}:
                continue
            parameters = route.match(raw_path)
            if parameters is not None:
                return function, parameters
        return None

    async def _run(self, durable: DurableConfig | None) -> None:
        from .invocation import HttpInvoker
        from .user_code import UserCode

        assert self.access is not None
        user_code = UserCode()
        if durable is not None:
            from .durable import Durable

            enabled = {name: f for name, f in self.app.functions.items() if not self.is_disabled(f)}
            await self.access.keys.host_keys()
            self.durable = Durable(
                durable, self.settings, FunctionApp(self.app.root, enabled), user_code, self.access.keys
            )
            await self.durable.start(self.public_origin, self.rpc_base_url)
        self.invoker = HttpInvoker(user_code, self._client_arguments, str(self.root))

    def _client_arguments(self, function: Function) -> dict[str, str]:
        return {} if self.durable is None else self.durable.client_arguments(function)

    async def stop_work(self) -> None:
        """Finish orchestrator turns and give the partitions back; running activities are abandoned."""
        if self.durable is not None:
            await self.durable.stop_work()

    async def close(self) -> None:
        """Close the connections and remove what was unpacked."""
        if self.durable is not None:
            await self.durable.close()
        if self._content is not None:
            self._content.close()
