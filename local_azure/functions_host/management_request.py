"""Parameters of management API requests as the extension reads them, and its forms of answers."""

from __future__ import annotations

import json
import re
import traceback
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, unquote_plus

from starlette.requests import Request
from starlette.responses import Response

from local_azure.engine.code import EntityId
from local_azure.engine.instances import Status

from .hubs import Hub

TOKEN_HEADER = "x-ms-continuation-token"
DEFAULT_PAGE = 100
_STATUS_NUMBERS = dict(
    enumerate(("Running", "Completed", "ContinuedAsNew", "Failed", "Canceled", "Terminated", "Pending", "Suspended"))
)


@dataclass(frozen=True)
class Call:
    """One request: the hub that it means, and its path below the base, cut and decoded."""

    request: Request
    hub: Hub
    parts: list[str]
    system_key: str = field(repr=False)


def decoded_id(part: str) -> str:
    """One part of a path."""
    # Decoded twice, the second time with plus signs as spaces: so ids with `%41` or `+` in them cannot be addressed.
    return unquote_plus(unquote(part))


def entity_id(parts: list[str]) -> EntityId:
    """The entity that a path names; the key `$` means the empty key."""
    return EntityId(parts[1].lower(), "" if parts[2] == "$" else parts[2])


def statuses(text: str | None) -> tuple[Status, ...]:
    """The statuses of a `runtimeStatus` filter."""
    # Whatever is no status is dropped in silence; when nothing remains there is no filter.
    names = {status.value for status in Status} - {Status.UNKNOWN.value}
    found = []
    for item in (part.strip() for part in (text or "").split(",")):
        name = _STATUS_NUMBERS.get(int(item)) if item.isdigit() else item
        if name in names:
            found.append(Status(name))
    return tuple(found)


def moment(text: str | None) -> datetime | None:
    """A time in a query; None when it is missing or no time."""
    if not text:
        return None
    # .NET writes seven digits of a second, Python reads six at most.
    cleaned = re.sub(r"(\.\d{6})\d+", r"\1", text.strip().replace(" ", "+"))
    try:
        found = datetime.fromisoformat(cleaned)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def top(request: Request) -> int:
    """The page size; a bad one is ignored."""
    text = request.query_params.get("top", "")
    return int(text) if text.isdigit() and int(text) > 0 else DEFAULT_PAGE


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """A true-or-false parameter."""
    text = request.query_params.get(name, "").strip().lower()
    return {"true": True, "false": False}.get(text, default)


def number(request: Request, name: str) -> float | None:
    """A number parameter; None when it is missing or no number."""
    try:
        return float(request.query_params[name])
    except (KeyError, ValueError):
        return None


def json_response(status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer in the form of the extension."""
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        status_code=status,
        headers=headers,
        media_type="application/json; charset=utf-8",
    )


def bad_request(message: str, error: Exception | None = None, kind: str | None = None) -> Response:
    """A 400 in the form of the extension."""
    if error is None:
        return json_response(400, {"Message": message})
    return json_response(
        400, {"Message": message, "ExceptionMessage": str(error), "ExceptionType": kind, "StackTrace": None}
    )


def server_error(error: Exception, kind: str) -> Response:
    """A 500 in the form of the extension."""
    return json_response(
        500,
        {
            "Id": str(uuid.uuid4()),
            "Message": "Something went wrong while processing your request",
            "ExceptionMessage": str(error),
            "ExceptionType": kind,
            "StackTrace": "".join(traceback.format_tb(error.__traceback__)),
        },
    )
