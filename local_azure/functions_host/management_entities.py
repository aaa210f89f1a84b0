"""Management API: list, read and signal entities."""

from __future__ import annotations

import json

from starlette.responses import Response

from .instance_json import entity_json, token
from .management_request import (
    TOKEN_HEADER,
    Call,
    bad_request,
    entity_id,
    flag,
    json_response,
    moment,
    top,
)


async def list_entities(call: Call) -> Response:
    """GET entities[/{name}]: one page of entities."""
    query = call.request.query_params
    fetch_state = flag(call.request, "fetchState")
    page = await call.hub.client.list_entities(
        call.parts[1] if len(call.parts) == 2 else None,
        last_operation_from=moment(query.get("lastOperationTimeFrom")),
        last_operation_to=moment(query.get("lastOperationTimeTo")),
        fetch_state=fetch_state,
        top=top(call.request),
        continuation_token=call.request.headers.get(TOKEN_HEADER) or None,
    )
    found = [entity_json(entity, show_state=fetch_state) for entity in page.entities]
    return json_response(200, found, {TOKEN_HEADER: page.continuation_token or ""})


async def read_entity(call: Call) -> Response:
    """GET entities/{name}/{key}: an entity's state."""
    entity = await call.hub.client.read_entity(entity_id(call.parts))
    if entity is None or not entity.exists:
        return Response(status_code=404)
    return json_response(200, token(entity.state))


async def signal_entity(call: Call) -> Response:
    """POST entities/{name}/{key}: send an operation; DELETE sends the operation `delete`."""
    body = (await call.request.body()).decode()
    text: str | None = None
    if body:
        is_json = "application/json" in call.request.headers.get("content-type", "").lower()
        try:
            text = json.dumps(json.loads(body)) if is_json else json.dumps(body)
        except ValueError as error:
            return bad_request("Could not parse JSON content", error, "Newtonsoft.Json.JsonReaderException")
    operation = "delete" if call.request.method == "DELETE" else call.request.query_params.get("op", "")
    await call.hub.client.signal_entity(entity_id(call.parts), operation, text)
    return Response(status_code=202)
