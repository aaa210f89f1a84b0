"""Management API: start and restart orchestrations."""

from __future__ import annotations

import asyncio
import json
import time

from starlette.responses import Response

from local_azure.engine.errors import (
    BadInstanceId,
    InstanceAlreadyExists,
    InstanceNotFound,
)
from local_azure.engine.instances import Status

from .instance_json import instance_json, token
from .management_request import (
    Call,
    bad_request,
    json_response,
    number,
)
from .management_urls import Required, escaped_id, management_urls
from .origin import origin


async def start(call: Call) -> Response:
    """POST orchestrators/{name}[/{id}]: start an instance, and wait for its end when asked to."""
    body = (await call.request.body()).decode()
    if body:
        try:
            json.loads(body)
        except ValueError as error:
            return bad_request("Invalid JSON content", error, "Newtonsoft.Json.JsonReaderException")
    try:
        instance_id = await call.hub.client.start(
            call.parts[1],
            body or None,
            instance_id=call.parts[2] if len(call.parts) == 3 else None,
            version=call.request.query_params.get("version"),
        )
    except BadInstanceId as error:
        return bad_request("Invalid instance ID", error, "System.ArgumentException")
    except InstanceAlreadyExists:
        return await _exists_already(call, call.parts[2])
    wait, interval = number(call.request, "timeout"), number(call.request, "pollingInterval")
    if wait is not None and interval is not None:
        return await _wait(call, instance_id, wait, interval)
    return await _started(call, instance_id)


async def _wait(call: Call, instance_id: str, wait: float, interval: float) -> Response:
    if interval <= 0 or interval > wait:
        return bad_request(f"Total timeout {wait:g} should be bigger than retry timeout {interval:g}")
    deadline = time.monotonic() + wait
    while True:
        state = await call.hub.client.get(instance_id)
        if state is not None and state.status is Status.COMPLETED:
            return json_response(200, token(state.output))
        if state is not None and state.status.is_terminal:
            return json_response(500 if state.status is Status.FAILED else 200, instance_json(state))
        left = deadline - time.monotonic()
        if left <= 0:
            return await _started(call, instance_id)
        await asyncio.sleep(min(interval, left))


async def _started(call: Call, instance_id: str) -> Response:
    required = Required(call.hub.name, call.hub.connection_name, call.system_key)
    urls = management_urls(origin(call.request), escaped_id(instance_id), required)
    return json_response(
        202,
        {"id": instance_id, **urls},
        {"Location": urls["statusQueryGetUri"], "Retry-After": "10"},
    )


async def _exists_already(call: Call, instance_id: str) -> Response:
    state = await call.hub.client.get(instance_id, fetch_input=False)
    status = "Pending" if state is None else state.status.value
    text = f"An Orchestration instance with the status {status} already exists."
    return json_response(409, {"Message": text, "ExceptionMessage": text})


async def restart(call: Call) -> Response:
    """POST instances/{id}/restart: start the same orchestration with the same input once more."""
    fresh = call.request.query_params.get("restartWithNewInstanceId", "true").lower() != "false"
    try:
        instance_id = await call.hub.client.restart(call.parts[1], new_instance_id=fresh)
    except InstanceNotFound:
        return json_response(
            400,
            {
                "Message": "InstanceId does not match a valid orchestration instance.",
                "ExceptionMessage": f"No instance with ID '{call.parts[1]}' was found. (Parameter 'instanceId')",
                "ExceptionType": "System.ArgumentException",
                "StackTrace": None,
            },
        )
    except InstanceAlreadyExists:
        return await _exists_already(call, call.parts[1])
    return await _started(call, instance_id)
