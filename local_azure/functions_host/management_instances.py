"""Management API: list, read, signal and end instances."""

from __future__ import annotations

import json
from collections.abc import Awaitable

from starlette.responses import Response

from local_azure.engine.errors import (
    HistoryUnreadable,
    InstanceNotFound,
    InstanceNotRunning,
    NotRewindable,
    NotTerminal,
)
from local_azure.engine.instances import InstanceFilter, Status

from .instance_json import history_json, instance_json
from .management_request import (
    TOKEN_HEADER,
    Call,
    bad_request,
    flag,
    json_response,
    moment,
    server_error,
    statuses,
    top,
)
from .origin import public_url


async def list_instances(call: Call) -> Response:
    """GET instances: one page of instances."""
    query = call.request.query_params
    show_input = flag(call.request, "showInput", default=True)
    page = await call.hub.client.query(
        InstanceFilter(
            statuses=statuses(query.get("runtimeStatus")),
            created_from=moment(query.get("createdTimeFrom")),
            created_to=moment(query.get("createdTimeTo")),
            id_prefix=query.get("instanceIdPrefix") or None,
            fetch_input=show_input,
        ),
        top=top(call.request),
        continuation_token=call.request.headers.get(TOKEN_HEADER) or None,
    )
    found = [instance_json(state, show_input=show_input) for state in page.instances]
    return json_response(200, found, {TOKEN_HEADER: page.continuation_token or ""})


async def status(call: Call) -> Response:
    """GET instances/{id}: one instance, with its history when asked for."""
    show_input = flag(call.request, "showInput", default=True)
    state = await call.hub.client.get(call.parts[1], fetch_input=show_input)
    if state is None:
        return Response(status_code=404)
    body = instance_json(state, show_input=show_input)
    if flag(call.request, "showHistory"):
        try:
            events = await call.hub.client.history(call.parts[1])
        except HistoryUnreadable as error:
            return server_error(error, "System.InvalidOperationException")
        body["historyEvents"] = history_json(events, show_output=flag(call.request, "showHistoryOutput"))
    if not state.status.is_terminal:
        return json_response(202, body, {"Location": public_url(call.request), "Retry-After": "5"})
    failed = state.status is Status.FAILED and flag(call.request, "returnInternalServerErrorOnFailure")
    return json_response(500 if failed else 200, body)


async def raise_event(call: Call) -> Response:
    """POST instances/{id}/raiseEvent/{name}."""
    if "application/json" not in call.request.headers.get("content-type", "").lower():
        return json_response(400, {"Message": "Only application/json request content is supported"})
    body = (await call.request.body()).decode()
    try:
        event = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")) if body else None
    except ValueError as error:
        return bad_request("Invalid JSON content", error, "Newtonsoft.Json.JsonReaderException")
    return await _accepted(call.hub.client.raise_event(call.parts[1], call.parts[3], event))


async def terminate(call: Call) -> Response:
    """POST instances/{id}/terminate."""
    return await _accepted(call.hub.client.terminate(call.parts[1], call.request.query_params.get("reason")))


async def suspend(call: Call) -> Response:
    """POST instances/{id}/suspend."""
    return await _accepted(call.hub.client.suspend(call.parts[1], call.request.query_params.get("reason")))


async def resume(call: Call) -> Response:
    """POST instances/{id}/resume."""
    return await _accepted(call.hub.client.resume(call.parts[1], call.request.query_params.get("reason")))


async def rewind(call: Call) -> Response:
    """POST instances/{id}/rewind: undo a failure."""
    try:
        await call.hub.client.rewind(call.parts[1], call.request.query_params.get("reason"))
    except InstanceNotFound:
        return json_response(404, f'No orchestration with instance ID "${call.parts[1]}" found.')
    except NotRewindable:
        state = await call.hub.client.get(call.parts[1], fetch_input=False)
        status = "Unknown" if state is None else state.status.value
        return json_response(
            412,
            f'This orchestration has status {status}, but only orchestrations in the "Failed" state can be rewound.',
        )
    return Response(status_code=202)


async def purge(call: Call) -> Response:
    """DELETE instances/{id}: delete an ended instance."""
    try:
        deleted = await call.hub.client.purge(call.parts[1])
    except NotTerminal:
        state = await call.hub.client.get(call.parts[1], fetch_input=False)
        status = "Unknown" if state is None else state.status.value
        return json_response(
            412,
            "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID "
            f"{call.parts[1]} has status {status}",
        )
    return json_response(200, {"instancesDeleted": 1}) if deleted else Response(status_code=404)


async def purge_by_filter(call: Call) -> Response:
    """DELETE instances: delete ended instances."""
    query = call.request.query_params
    created_from = moment(query.get("createdTimeFrom"))
    if created_from is None:
        return json_response(400, "Please provide value for 'createdTimeFrom' parameter.")
    deleted = await call.hub.client.purge_by_filter(
        created_from, moment(query.get("createdTimeTo")), statuses(query.get("runtimeStatus"))
    )
    return json_response(200, {"instancesDeleted": deleted}) if deleted else Response(status_code=404)


async def _accepted(operation: Awaitable[None]) -> Response:
    try:
        await operation
    except InstanceNotFound:
        return Response(status_code=404)
    except InstanceNotRunning:
        return Response(status_code=410)
    return Response(status_code=202)
