"""What a worker and its clients wrote, in the form of the films, with ids and times made comparable."""

from __future__ import annotations

import base64
import json
import lzma
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

from local_azure.engine.names import unescape_key
from local_azure.engine.wire import Exchange

FILMS = Path(__file__).resolve().parents[2] / "data" / "films" / "3.15.0"
_KEYS = re.compile(r"/(?P<table>\w+)\(PartitionKey='(?P<pk>[^']*)',RowKey='(?P<rk>[^']*)'\)")
_PART = re.compile(
    r"\n(?P<method>POST|PUT|PATCH|DELETE) \S*?devstoreaccount1(?P<path>/\S+) HTTP/1.1\r\n(?P<rest>.*?)\r\n--", re.S
)
_HEX_ID = re.compile(r"\b[0-9a-f]{32}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_GUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_STACK = re.compile(r'"Details": ?"(\\.|[^"\\])*"')

Operation = dict[str, Any]


class Recorder:
    """Give `hook` to clients and workers as `on_exchange`."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []

    def hook(self, exchange: Exchange) -> None:
        if exchange.status < 400 and exchange.method != "GET":
            self.operations += _operations(exchange)


def _operations(exchange: Exchange) -> Iterable[Operation]:
    if exchange.path == "/$batch":
        text = exchange.body.decode()
        rows = [
            _row(match["method"], match["path"], match["rest"].split("\r\n\r\n", 1)[1])
            for match in _PART.finditer(text)
        ]
        yield {"op": "batch", "operations": rows}
    elif exchange.path.endswith("/messages"):
        encoded = ET.fromstring(exchange.body).findtext("MessageText") or ""
        hidden = exchange.query.get("visibilitytimeout")
        message = json.loads(base64.b64decode(encoded))
        queue = exchange.path.split("/")[1]
        yield {"op": "put-message", "queue": queue, "hidden_seconds": hidden, "message": message}
    elif "/messages/" in exchange.path:
        verb = "delete-message" if exchange.method == "DELETE" else "update-message"
        yield {"op": verb, "queue": exchange.path.split("/")[1]}
    elif _KEYS.match(exchange.path) or (exchange.method == "POST" and exchange.path != "/Tables"):
        yield _row(exchange.method, exchange.path, exchange.body.decode())


def _row(method: str, path: str, body: str) -> Operation:
    entity = json.loads(body) if body.strip() else {}
    found = _KEYS.match(path)
    if found is None:
        return {"op": "insert", "table": path[1:], "key": [entity["PartitionKey"], entity["RowKey"]], "entity": entity}
    return {
        "op": {"PUT": "replace", "PATCH": "merge", "DELETE": "delete"}[method],
        "table": found["table"],
        "key": [unquote(found["pk"]), unquote(found["rk"])],
        "entity": entity,
    }


def film(name: str) -> list[Operation]:
    """The operations of a recording that the store accepted."""
    with lzma.open(FILMS / f"{name}.storage.jsonl.xz", "rt") as lines:
        return [line for line in map(json.loads, lines) if not line.get("status")]


def of_instance(operations: list[Operation], instance_id: str) -> dict[str, list[Any]]:
    """Messages, history writes and row writes of one instance, each in its order, made comparable."""
    names: dict[str, str] = {}
    found: dict[str, list[Any]] = {"messages": [], "history": [], "rows": []}
    for operation in operations:
        if operation["op"] == "put-message":
            task = operation["message"].get("TaskMessage")
            if task and task["OrchestrationInstance"]["InstanceId"] == instance_id:
                found["messages"].append(_comparable(operation["message"], names))
        elif operation["op"] == "batch":
            rows = [
                row
                for row in operation["operations"]
                if unescape_key(row["key"][0]) == instance_id and row["op"] != "delete"
            ]
            if rows:
                found["history"].append([_comparable_row(row, names) for row in rows])
        elif operation["op"] not in ("read", "delete") and operation.get("key", [""])[0] == instance_id:
            kind = "rows" if operation["table"].endswith("Instances") else "history"
            found[kind].append(_comparable_row(operation, names))
    return found


def _comparable_row(row: Operation, names: dict[str, str]) -> Any:
    # Whether a row was inserted, replaced or merged shows in what it holds; the films name the verbs differently.
    entity = {name: value for name, value in (row.get("entity") or {}).items() if value is not None}
    for ours in ("PartitionKey", "RowKey", "TaskHubName"):
        entity.pop(ours, None)
    return [row["key"][1], dict(sorted(_comparable(entity, names).items()))]


def _comparable(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            key: "…"
            if key in ("ActivityId", "SequenceNumber", "Details") and item is not None
            else _comparable(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_comparable(item, names) for item in value]
    if not isinstance(value, str):
        return value
    value = _TIME.sub("<time>", value)
    value = _GUID.sub("<guid>", value)
    return _HEX_ID.sub(lambda match: names.setdefault(match[0], f"<id {len(names)}>"), value)
