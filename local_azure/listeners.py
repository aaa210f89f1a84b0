"""HTTP listeners in one event loop: one for the Resource Manager, two for each slot, opened and closed at any time."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from uvicorn.server import ServerState

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

# Longer than any client keeps an idle connection: a server that closes first makes requests fail that were just sent.
KEEP_ALIVE_SECONDS = 240


def bind(host: str, port: int, *, among: tuple[int, int] | None = None) -> socket.socket:
    """Return a bound socket on this port; port 0: any free one, or the first free one `among` first and last."""
    candidates = [port] if port or among is None else list(range(among[0], among[1] + 1))
    problem: OSError | None = None
    for candidate in candidates:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, candidate))
            return sock
        except OSError as error:
            sock.close()
            problem = error
    raise OSError(f"expected a free port on {host} in {candidates[0]}-{candidates[-1]}, found none: {problem}")


class Listener:
    """One open port. uvicorn's protocol is used without its Server, which would wake ten times a second per port."""

    def __init__(self, server: asyncio.Server, state: ServerState, port: int) -> None:
        self._server = server
        self._state = state
        self.port = port

    async def close(self, *, grace: float = 2.0) -> None:
        """Accept nothing more, let requests in progress finish within `grace` seconds, then end them."""
        self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self._state.connections or self._state.tasks:  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.02)
        for task in list(self._state.tasks):
            task.cancel()


async def listen(sock: socket.socket, application: Application) -> Listener:
    """Serve an ASGI application on a bound socket."""
    config = uvicorn.Config(
        application,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    config.load()
    state = ServerState()
    protocol: Any = config.http_protocol_class

    def connection() -> asyncio.Protocol:
        made: asyncio.Protocol = protocol(config=config, server_state=state, app_state={})
        return made

    server = await asyncio.get_running_loop().create_server(connection, sock=sock, backlog=1024)
    return Listener(server, state, sock.getsockname()[1])
