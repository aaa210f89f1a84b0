"""Run an HTTP function: the request in the SDK's form, the bindings, and its answer as an HTTP response."""

from __future__ import annotations

import inspect
import logging
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from .origin import public_url
from .python_app import DURABLE_CLIENT, Function, Trigger
from .sdk import ClientArguments
from .user_code import UserCode

log = logging.getLogger(__name__)
_RUNNABLE_BINDINGS = frozenset({Trigger.HTTP, DURABLE_CLIENT, "http"})


class InvocationContext:
    """What a function gets for a parameter `context`: the attributes of azure.functions.Context."""

    def __init__(self, function: Function, root: str) -> None:
        self.function_name = function.name
        self.function_directory = root
        self.invocation_id = str(uuid.uuid4())
        self.trace_context = None
        self.retry_context = None
        self.thread_local_storage = None


class HttpInvoker:
    """Invokes HTTP functions of one app."""

    def __init__(self, user_code: UserCode, client_arguments: ClientArguments, root: str) -> None:
        self._user_code = user_code
        self._client_arguments = client_arguments
        self._root = root

    async def invoke(self, function: Function, request: Request, route_parameters: Mapping[str, str]) -> Response:
        """Call the function; what it raises becomes an empty 500, as the host answers."""
        import azure.functions as func

        unknown = [b["type"] for b in function.bindings if b["type"] not in _RUNNABLE_BINDINGS]
        if unknown:
            log.error("function %s has bindings that the local host does not run: %s", function.name, unknown)
            return Response(status_code=500)
        argument = func.HttpRequest(
            method=request.method,
            url=public_url(request),
            headers=dict(request.headers),
            params=dict(request.query_params),
            route_params=dict(route_parameters),
            body=await request.body(),
        )
        arguments: dict[str, Any] = {function.trigger["name"]: argument, **self._client_arguments(function)}
        if "context" not in arguments and "context" in inspect.signature(function.call).parameters:
            arguments["context"] = InvocationContext(function, self._root)
        try:
            return _response(await self._user_code.call(function.call, arguments))
        except Exception:
            log.exception("function %s failed", function.name)
            return Response(status_code=500)


def _response(answer: Any) -> Response:
    import azure.functions as func

    if answer is None:
        return Response(status_code=204)
    if isinstance(answer, str):
        return Response(answer, media_type="text/plain")
    if not isinstance(answer, func.HttpResponse):
        raise TypeError(f"unable to encode outgoing TypedData: expected a str or HttpResponse, found {type(answer)!r}")
    response = Response(answer.get_body(), status_code=answer.status_code)
    headers = list(answer.headers.items())
    if not any(name.lower() == "content-type" for name, _ in headers):
        kind = answer.mimetype
        headers.append(("Content-Type", f"{kind}; charset={answer.charset}" if kind.startswith("text/") else kind))
    for name, value in headers:
        if name.lower() != "content-length":
            response.headers.append(name, value)
    return response
