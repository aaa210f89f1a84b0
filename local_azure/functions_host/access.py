"""Which key opens what."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from starlette.requests import Request

from .keys import EXTENSION_KEY, KeyStore
from .python_app import Function

INTERNAL_HEADER = "x-local-azure-internal"


class Access:
    """Checks the key that a request brings, in header `x-functions-key` or query parameter `code`."""

    def __init__(self, keys: KeyStore, internal_token: str | None) -> None:
        self.keys = keys
        self._internal_token = internal_token

    async def admin(self, request: Request) -> bool:
        """The master key, or the token that the Resource Manager and its child processes share."""
        if self.internal(request):
            return True
        return _matches(request, [(await self.keys.host_keys()).master])

    def internal(self, request: Request) -> bool:
        """Whether the request comes from local Azure's own Resource Manager."""
        given = request.headers.get(INTERNAL_HEADER)
        return bool(
            given and self._internal_token and hmac.compare_digest(given.encode(), self._internal_token.encode())
        )

    async def extension(self, request: Request) -> bool:
        """The Durable extension's system key, or the master key."""
        keys = await self.keys.host_keys()
        return _matches(request, [keys.system.get(EXTENSION_KEY) or keys.master, keys.master])

    async def function(self, request: Request, function: Function) -> bool:
        """What the function's authorization level wants."""
        level = str(function.trigger.get("authLevel", "function")).lower()
        if level == "anonymous":
            return True
        keys = await self.keys.host_keys()
        allowed = [keys.master]
        if level == "function":
            allowed += [*keys.functions.values(), *(await self.keys.function_keys(function.name)).values()]
        return _matches(request, allowed)


def _matches(request: Request, allowed: Iterable[str]) -> bool:
    given = request.headers.get("x-functions-key") or request.query_params.get("code") or ""
    return any(hmac.compare_digest(given.encode(), key.encode()) for key in allowed)
