"""The built-in activity behind `context.call_http`."""

from __future__ import annotations

import json
from typing import Any

HTTP_ACTIVITY = "BuiltIn::HttpActivity"
TIMEOUT_SECONDS = 100.0


async def call(request_json: str | None) -> str:
    """Make the request that the SDK described and return the response in the SDK's form."""
    import aiohttp

    request: dict[str, Any] = json.loads(request_json or "{}")
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)) as session,
        session.request(
            request["method"], request["uri"], data=request.get("content"), headers=request.get("headers") or {}
        ) as response,
    ):
        content = await response.text()
        headers = dict(response.headers)
    return json.dumps({"statusCode": response.status, "headers": headers, "content": content})
