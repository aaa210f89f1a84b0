"""The Durable extension's HTTP API: start, list, query, signal and end instances, with its status codes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from local_azure.engine.errors import (
    BadHubName,
    BadInstanceId,
    HistoryUnreadable,
    InstanceAlreadyExists,
    InstanceNotFound,
    InstanceNotRunning,
    NotRewindable,
    NotTerminal,
)
from local_azure.engine.instances import InstanceFilter, Status

from .host_config import HostConfigError
from .hubs import Hub, Hubs
from .instance_json import entity_json, history_json, instance_json, token
from .management_request import (
    bad_request,
    decoded_id,
    entity_id,
    flag,
    json_response,
    moment,
    number,
    server_error,
    statuses,
    top,
)
from .management_urls import WEBHOOK_PATH, Required, escaped_id, management_urls
from .origin import origin, public_url

log = logging.getLogger(__name__)

TOKEN_HEADER = "x-ms-continuation-token"


@dataclass(frozen=True)
class Call:
    """One request: the hub that it means, and its path below the base, cut and decoded."""

    request: Request
    hub: Hub
    parts: list[str]


Handler = Callable[[Call], Awaitable[Response]]


class ManagementApi:
    """Answers below `/runtime/webhooks/durabletask`, and the SDK's calls on the local RPC endpoint alike."""

    def __init__(self, hubs: Hubs, system_key: Callable[[], str]) -> None:
        self._hubs = hubs
        self._system_key = system_key

    async def handle(self, request: Request, raw_path: str) -> Response:
        """Answer a request; `raw_path` is what follows the base, still escaped."""
        parts = [decoded_id(part) for part in raw_path.strip("/").split("/") if part]
        handler = self._route(request.method, parts)
        if handler is None:
            return Response(status_code=404)
        query = request.query_params
        try:
            hub = await self._hubs.get(query.get("taskHub"), query.get("connection"))
            return await handler(Call(request, hub, parts))
        except HostConfigError as error:
            return server_error(error, "System.InvalidOperationException")
        except BadHubName as error:
            return server_error(error, "System.ArgumentException")
        except Exception as error:
            log.exception("%s %s failed", request.method, request.url.path)
            return server_error(error, f"{type(error).__module__}.{type(error).__name__}")

    def _route(self, method: str, parts: list[str]) -> Handler | None:
        match method, [part.lower() for part in parts[:1]], len(parts):
            case "POST", ["orchestrators"], 2 | 3:
                return self._start
            case "GET", ["instances"], 1:
                return self._list
            case "DELETE", ["instances"], 1:
                return self._purge_by_filter
            case "GET", ["instances"], 2:
                return self._status
            case "DELETE", ["instances"], 2:
                return self._purge
            case "POST", ["instances"], 3:
                return self._operation(parts[2])
            case "POST", ["instances"], 4 if parts[2].lower() == "raiseevent":
                return self._raise_event
            case "GET", ["entities"], 1 | 2:
                return self._list_entities
            case "GET", ["entities"], 3:
                return self._read_entity
            case "POST" | "DELETE", ["entities"], 3:
                return self._signal_entity
            case _, ["makeprimary"], 1:
                return self._make_primary
            case _:
                return None

    def _operation(self, name: str) -> Handler | None:
        return {
            "terminate": self._terminate,
            "suspend": self._suspend,
            "resume": self._resume,
            "rewind": self._rewind,
            "restart": self._restart,
        }.get(name.lower())

    # --- starts ---------------------------------------------------------------------------------------------------

    async def _start(self, call: Call) -> Response:
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
            return await self._exists_already(call, call.parts[2])
        wait, interval = number(call.request, "timeout"), number(call.request, "pollingInterval")
        if wait is not None and interval is not None:
            return await self._wait(call, instance_id, wait, interval)
        return await self._started(call, instance_id)

    async def _wait(self, call: Call, instance_id: str, wait: float, interval: float) -> Response:
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
                return await self._started(call, instance_id)
            await asyncio.sleep(min(interval, left))

    async def _started(self, call: Call, instance_id: str) -> Response:
        required = Required(call.hub.name, call.hub.connection_name, self._system_key())
        urls = management_urls(origin(call.request), escaped_id(instance_id), required)
        return json_response(
            202,
            {"id": instance_id, **urls},
            {"Location": urls["statusQueryGetUri"], "Retry-After": "10"},
        )

    async def _exists_already(self, call: Call, instance_id: str) -> Response:
        state = await call.hub.client.get(instance_id, fetch_input=False)
        status = "Pending" if state is None else state.status.value
        text = f"An Orchestration instance with the status {status} already exists."
        return json_response(409, {"Message": text, "ExceptionMessage": text})

    async def _restart(self, call: Call) -> Response:
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
            return await self._exists_already(call, call.parts[1])
        return await self._started(call, instance_id)

    # --- instances ------------------------------------------------------------------------------------------------

    async def _list(self, call: Call) -> Response:
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

    async def _status(self, call: Call) -> Response:
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

    async def _raise_event(self, call: Call) -> Response:
        if "application/json" not in call.request.headers.get("content-type", "").lower():
            return json_response(400, {"Message": "Only application/json request content is supported"})
        body = (await call.request.body()).decode()
        try:
            event = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":")) if body else None
        except ValueError as error:
            return bad_request("Invalid JSON content", error, "Newtonsoft.Json.JsonReaderException")
        return await _accepted(call.hub.client.raise_event(call.parts[1], call.parts[3], event))

    async def _terminate(self, call: Call) -> Response:
        return await _accepted(call.hub.client.terminate(call.parts[1], call.request.query_params.get("reason")))

    async def _suspend(self, call: Call) -> Response:
        return await _accepted(call.hub.client.suspend(call.parts[1], call.request.query_params.get("reason")))

    async def _resume(self, call: Call) -> Response:
        return await _accepted(call.hub.client.resume(call.parts[1], call.request.query_params.get("reason")))

    async def _rewind(self, call: Call) -> Response:
        try:
            await call.hub.client.rewind(call.parts[1], call.request.query_params.get("reason"))
        except InstanceNotFound:
            return json_response(404, f'No orchestration with instance ID "${call.parts[1]}" found.')
        except NotRewindable:
            state = await call.hub.client.get(call.parts[1], fetch_input=False)
            status = "Unknown" if state is None else state.status.value
            return json_response(
                412,
                f"This orchestration has status {status}, but only orchestrations in the "
                '"Failed" state can be rewound.',
            )
        return Response(status_code=202)

    async def _purge(self, call: Call) -> Response:
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

    async def _purge_by_filter(self, call: Call) -> Response:
        query = call.request.query_params
        created_from = moment(query.get("createdTimeFrom"))
        if created_from is None:
            return json_response(400, "Please provide value for 'createdTimeFrom' parameter.")
        deleted = await call.hub.client.purge_by_filter(
            created_from, moment(query.get("createdTimeTo")), statuses(query.get("runtimeStatus"))
        )
        return json_response(200, {"instancesDeleted": deleted}) if deleted else Response(status_code=404)

    # --- entities -------------------------------------------------------------------------------------------------

    async def _list_entities(self, call: Call) -> Response:
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

    async def _read_entity(self, call: Call) -> Response:
        entity = await call.hub.client.read_entity(entity_id(call.parts))
        if entity is None or not entity.exists:
            return Response(status_code=404)
        return json_response(200, token(entity.state))

    async def _signal_entity(self, call: Call) -> Response:
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

    async def _make_primary(self, _call: Call) -> Response:
        return Response(status_code=200)


async def _accepted(operation: Awaitable[None]) -> Response:
    try:
        await operation
    except InstanceNotFound:
        return Response(status_code=404)
    except InstanceNotRunning:
        return Response(status_code=410)
    return Response(status_code=202)


def is_management_path(path: str) -> str | None:
    """What follows the API's base in a raw path; None when the path is elsewhere. The base counts in any case."""
    for base in (WEBHOOK_PATH, "/admin/extensions/DurableTaskExtension"):
        if path.lower() == base.lower() or path.lower().startswith(base.lower() + "/"):
            return path[len(base) :]
    return None
