"""The Durable extension's HTTP API: which request goes where, and what its failures look like."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from local_azure.engine.errors import BadHubName

from . import management_entities as entities
from . import management_instances as instances
from . import management_starts as starts
from .host_config import HostConfigError
from .hubs import Hubs
from .management_request import Call, decoded_id, server_error
from .management_urls import WEBHOOK_PATH

log = logging.getLogger(__name__)

Handler = Callable[[Call], Awaitable[Response]]
_OPERATIONS: dict[str, Handler] = {
    "terminate": instances.terminate,
    "suspend": instances.suspend,
    "resume": instances.resume,
    "rewind": instances.rewind,
    "restart": starts.restart,
}


class ManagementApi:
    """Answers below `/runtime/webhooks/durabletask`, and the SDK's calls on the local RPC endpoint alike."""

    def __init__(self, hubs: Hubs, system_key: Callable[[], str]) -> None:
        self._hubs = hubs
        self._system_key = system_key

    async def handle(self, request: Request, raw_path: str) -> Response:
        """Answer a request; `raw_path` is what follows the base, still escaped."""
        parts = [decoded_id(part) for part in raw_path.strip("/").split("/") if part]
        handler = _route(request.method, parts)
        if handler is None:
            return Response(status_code=404)
        query = request.query_params
        try:
            hub = await self._hubs.get(query.get("taskHub"), query.get("connection"))
            return await handler(Call(request, hub, parts, self._system_key()))
        except HostConfigError as error:
            return server_error(error, "System.InvalidOperationException")
        except BadHubName as error:
            return server_error(error, "System.ArgumentException")
        except Exception as error:
            log.exception("%s %s failed", request.method, request.url.path)
            return server_error(error, f"{type(error).__module__}.{type(error).__name__}")


def _route(method: str, parts: list[str]) -> Handler | None:
    match method, [part.lower() for part in parts[:1]], len(parts):
        case "POST", ["orchestrators"], 2 | 3:
            return starts.start
        case "GET", ["instances"], 1:
            return instances.list_instances
        case "DELETE", ["instances"], 1:
            return instances.purge_by_filter
        case "GET", ["instances"], 2:
            return instances.status
        case "DELETE", ["instances"], 2:
            return instances.purge
        case "POST", ["instances"], 3:
            return _OPERATIONS.get(parts[2].lower())
        case "POST", ["instances"], 4 if parts[2].lower() == "raiseevent":
            return instances.raise_event
        case "GET", ["entities"], 1 | 2:
            return entities.list_entities
        case "GET", ["entities"], 3:
            return entities.read_entity
        case "POST" | "DELETE", ["entities"], 3:
            return entities.signal_entity
        case _, ["makeprimary"], 1:
            return _make_primary
        case _:
            return None


async def _make_primary(_call: Call) -> Response:
    return Response(status_code=200)


def is_management_path(path: str) -> str | None:
    """What follows the API's base in a raw path; None when the path is elsewhere. The base counts in any case."""
    for base in (WEBHOOK_PATH, "/admin/extensions/DurableTaskExtension"):
        if path.lower() == base.lower() or path.lower().startswith(base.lower() + "/"):
            return path[len(base) :]
    return None
