"""The address under which the caller reached us: the front door's, when the request came through it."""

from __future__ import annotations

from starlette.requests import Request


def origin(request: Request) -> str:
    """Scheme and host of the caller's URL, e.g. `http://127.0.0.1:8080`."""
    scheme = request.headers.get("x-forwarded-proto") or request.url.scheme
    host = request.headers.get("x-forwarded-host") or request.headers.get("host") or request.url.netloc
    return f"{scheme}://{host}"


def public_url(request: Request) -> str:
    """The whole URL as the caller wrote it."""
    query = request.url.query
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return origin(request) + raw.decode("latin-1").partition("?")[0] + (f"?{query}" if query else "")
