"""The Resource Manager's and token endpoint's ASGI application: authorisation, routing, errors as Azure words them."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_azure.auth import TokenRefused
from local_azure.errors import AzureError, arm_error
from local_azure.listeners import Receive, Scope, Send
from local_azure.resource_manager import (
    app_settings,
    configuration,
    connection_strings,
    deployments,
    functions,
    host_keys,
    host_runtime,
    life,
    operations,
    plans,
    publishing,
    resource_groups,
    sites,
    slot_config_names,
    slot_differences,
    slots,
    swap,
)
from local_azure.resource_manager.call import Call, error_answer
from local_azure.resource_manager.router import Router

if TYPE_CHECKING:
    from local_azure.cloud import Cloud

log = logging.getLogger("local_azure.resource_manager")

TOKEN_PATH = re.compile(r"/([^/]+)/oauth2/(?:v2\.0/)?token")
RESOURCES = (
    resource_groups,
    plans,
    app_settings,
    connection_strings,
    slot_config_names,
    swap,
    slot_differences,
    operations,
    life,
    functions,
    host_keys,
    host_runtime,
    publishing,
    deployments,
    configuration,
    slots,
    sites,
)


class ResourceManager:
    """ASGI application on the main port."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._router = Router()
        for resource in RESOURCES:
            self._router.include(resource.router)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        began = time.monotonic()
        try:
            response = await self._respond(request)
        except AzureError as error:
            response = error_answer(error)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            response = error_answer(
                arm_error(500, "InternalServerError", "There was an unexpected error; see the log.")
            )
        response.headers["x-ms-request-id"] = response.headers["x-ms-correlation-request-id"] = str(uuid.uuid4())
        log.debug(
            "%s %s: %d in %.0f ms",
            request.method,
            request.url.path,
            response.status_code,
            (time.monotonic() - began) * 1000,
        )
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.url.path
        if (found := TOKEN_PATH.fullmatch(path)) and request.method == "POST":
            return await self._token(request, tenant=found[1])
        if path == "/" and request.method in ("GET", "HEAD"):
            return JSONResponse({"name": "local Azure"})
        principal = self._cloud.tokens.check(request.headers.get("authorization"))
        match = self._router.find(request.method, path)
        if isinstance(match, set):
            if match:
                raise arm_error(
                    405,
                    "MethodNotAllowed",
                    f"The resource does not support the method '{request.method}'.",
                    {"Allow": ", ".join(sorted(match))},
                )
            raise arm_error(404, "InvalidResourceType", f"The resource at '{path}' could not be found here.")
        if "api-version" not in request.query_params:
            raise arm_error(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
            )
        handler, parameters = match
        body = await request.body()
        return await handler(
            Call(
                cloud=self._cloud,
                principal=principal,
                method=request.method,
                parameters=parameters,
                query=dict(request.query_params),
                body=body,
                json=_json(request, body),
                base_url=str(request.base_url).rstrip("/"),
            )
        )

    async def _token(self, request: Request, *, tenant: str) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace")))
        try:
            return JSONResponse(self._cloud.tokens.grant(tenant, form))
        except TokenRefused as refusal:
            log.warning("no token for %r: %s", form.get("client_id"), refusal)
            return JSONResponse(refusal.body, refusal.status)


def _json(request: Request, body: bytes) -> object:
    if not body or "json" not in request.headers.get("content-type", "json"):
        return None
    try:
        return json.loads(body)
    except ValueError:
        raise arm_error(
            400, "InvalidRequestContent", "The request content was invalid and could not be deserialized."
        ) from None
