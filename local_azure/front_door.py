"""The reverse proxy before one slot: it knows which process serves now, and tells it whom the client asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpcore

from local_azure.errors import GATEWAY_PAGE, STARTING_PAGE, STOPPED_PAGE
from local_azure.listeners import Receive, Scope, Send
from local_azure.slot_runtime import HostUnavailable, SiteStopped, SlotRuntime
from local_azure.supervisor import INTERNAL_HEADER

log = logging.getLogger("local_azure.front_door")

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"upgrade",
        b"transfer-encoding",
    }
)
# Only we may say these to a host.
OURS = frozenset(
    {b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-for", b"was-default-hostname", INTERNAL_HEADER.encode()}
)
RESPONSE_SECONDS = 230.0
CONNECT_TRIES = 20
HTML = [(b"content-type", b"text/html")]


def connection_pool() -> httpcore.AsyncConnectionPool:
    """Return the connections to hosts. None is kept: a host that closes an idle one would make a request fail."""
    return httpcore.AsyncConnectionPool(max_connections=None, max_keepalive_connections=0)


class FrontDoor:
    """ASGI application on a slot's public port."""

    def __init__(self, runtime: SlotRuntime, pool: httpcore.AsyncConnectionPool, *, hostname: str) -> None:
        self._runtime = runtime
        self._pool = pool
        self._hostname = hostname.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request, streaming both ways."""
        assert scope["type"] == "http"
        try:
            await self._forward(scope, receive, send)
        except SiteStopped:
            await _answer(send, 403, STOPPED_PAGE)
        except HostUnavailable:
            await _answer(send, 503, STARTING_PAGE, [(b"retry-after", b"5")])

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, has_body = self._request_headers(scope)
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        for attempt in range(1, CONNECT_TRIES + 1):
            host = await self._runtime.acquire()
            try:
                request = httpcore.Request(
                    scope["method"],
                    httpcore.URL(scheme=b"http", host=b"127.0.0.1", port=host.port, target=target),
                    headers=headers,
                    content=_body(receive) if has_body else None,
                    extensions={"timeout": {"connect": 5.0, "read": RESPONSE_SECONDS, "write": RESPONSE_SECONDS}},
                )
                try:
                    response = await self._pool.handle_async_request(request)
                except (httpcore.ConnectError, httpcore.ConnectTimeout):
                    # Nothing was sent: the process has just ended and its successor will do.
                    if attempt == CONNECT_TRIES:
                        raise HostUnavailable(self._runtime.label) from None
                    await asyncio.sleep(0.1)
                    continue
                except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
                    log.warning(
                        "%s: %s %s got no answer: %s",
                        self._runtime.label,
                        scope["method"],
                        scope["path"],
                        error or type(error).__name__,
                    )
                    await _answer(send, 502, GATEWAY_PAGE)
                    return
                await _relay(response, send)
                return
            finally:
                host.give_back()

    def _request_headers(self, scope: Scope) -> tuple[list[tuple[bytes, bytes]], bool]:
        headers: list[tuple[bytes, bytes]] = []
        asked = self._hostname
        has_body = False
        for name, value in scope["headers"]:
            if name == b"host":
                asked = value
            if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
                has_body = True
            if name == b"transfer-encoding" and b"chunked" in value.lower():
                headers.append((name, value))  # the body goes on in chunks of unknown length
            elif name not in HOP_BY_HOP and name not in OURS:
                headers.append((name, value))
        client = scope.get("client")
        headers += [
            (b"x-forwarded-host", asked),
            (b"x-forwarded-proto", scope["scheme"].encode()),
            (b"x-forwarded-for", (client[0] if client else "unknown").encode()),
            (b"was-default-hostname", self._hostname),
        ]
        return headers, has_body


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


async def _relay(response: httpcore.Response, send: Send) -> None:
    """Pass a response on as it comes. A host that ends in the middle of a body makes the client's connection break."""
    headers = [(name, value) for name, value in response.headers if name.lower() not in HOP_BY_HOP]
    try:
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        stream: Any = response.stream
        async for part in stream:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        await response.aclose()


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*HTML, length, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})
