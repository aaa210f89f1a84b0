"""The host's HTTP front: functions, management API, admin API, and what it answers before it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .admin_api import AdminApi
from .host import Host, HostState
from .management_api import is_management_path

Responder = Callable[[Request], Awaitable[Response]]

RPC_PATH = "/durabletask/"
# The real host holds requests back until it has started, and gives up after a while.
START_WAIT_SECONDS = 60.0


def public_app(host: Host) -> ASGIApp:
    """What the slot's address serves."""
    admin = AdminApi(host)

    async def respond(request: Request) -> Response:
        path = _raw_path(request)
        if path in ("", "/"):
            return PlainTextResponse("Your Functions 4.0 app is up and running")
        management = is_management_path(path)
        if management is None and path.lower().startswith("/admin/"):
            return await admin.handle(request, path[len("/admin/") :])
        if not await _running(host):
            return PlainTextResponse("Function host is not running.", status_code=503)
        if management is not None:
            return await _management(host, request, management)
        return await _function(host, request, path)

    return _asgi(respond)


def rpc_app(host: Host) -> ASGIApp:
    """What the SDK's client talks to: the management API without a key, on a port that only this machine reaches."""

    async def respond(request: Request) -> Response:
        path = _raw_path(request)
        if host.durable is None or not path.startswith(RPC_PATH):
            return Response(status_code=404)
        return await host.durable.api.handle(request, path[len(RPC_PATH) :])

    return _asgi(respond)


async def _management(host: Host, request: Request, path: str) -> Response:
    if host.durable is None or host.access is None:
        return Response(status_code=404)
    if not await host.access.extension(request):
        return Response(status_code=401)
    return await host.durable.api.handle(request, path)


async def _function(host: Host, request: Request, path: str) -> Response:
    found = host.find(request.method, path)
    if found is None:
        return Response(status_code=404)
    function, parameters = found
    assert host.access is not None
    assert host.invoker is not None
    if not await host.access.function(request, function):
        return Response(status_code=401)
    return await host.invoker.invoke(function, request, parameters)


async def _running(host: Host) -> bool:
    try:
        async with asyncio.timeout(START_WAIT_SECONDS):
            await host.started.wait()
    except TimeoutError:
        return False
    return host.state is HostState.RUNNING


def _raw_path(request: Request) -> str:
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return raw.decode("latin-1").partition("?")[0]


def _asgi(respond: Responder) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        response = await respond(Request(scope, receive))
        await response(scope, receive, send)

    return app
