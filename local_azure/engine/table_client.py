"""Tables over the wire: rows as dicts of Python values, with ETags."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from local_azure.engine.wire import StorageError, Wire

Row = dict[str, Any]
Token = dict[str, str]

ETAG = "etag"  # under this key a row that was read carries its ETag; it is never written
_JSON = {"Content-Type": "application/json", "Accept": "application/json;odata=minimalmetadata"}
_QUIET = {**_JSON, "Prefer": "return-no-content", "DataServiceVersion": "3.0"}
_READ = {"Accept": "application/json;odata=minimalmetadata", "DataServiceVersion": "3.0"}
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_ETAG = re.compile(rb"(?im)^ETag:\s*(.+?)\r?$")
_MAX_INT32 = 2**31


def encode(row: Mapping[str, Any]) -> bytes:
    """A row as JSON; columns without a value are left out."""
    body: dict[str, Any] = {}
    for name, value in row.items():
        if value is None or name == ETAG:
            continue
        if isinstance(value, datetime):
            body[name] = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
            body[f"{name}@odata.type"] = "Edm.DateTime"
        elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _MAX_INT32:
            body[name] = str(value)
            body[f"{name}@odata.type"] = "Edm.Int64"
        else:
            body[name] = value
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def decode(body: Mapping[str, Any]) -> Row:
    """A row out of its JSON."""
    row: Row = {}
    for name, value in body.items():
        if name == "odata.etag":
            row[ETAG] = value
        elif "odata." in name or name == "Timestamp":  # the store's own column, not to be written back
            continue
        else:
            kind = body.get(f"{name}@odata.type")
            if kind == "Edm.DateTime":
                row[name] = _moment(value)
            else:
                row[name] = int(value) if kind == "Edm.Int64" else value
    return row


def _moment(text: str) -> datetime:
    # The store writes seven digits; datetime keeps six.
    return datetime.fromisoformat(text).astimezone(UTC)


@dataclass(frozen=True)
class Operation:
    """One operation of a transaction."""

    method: str
    row: Row
    etag: str | None = None

    @classmethod
    def insert(cls, row: Row) -> Operation:
        """Insert, refused when it is there."""
        return cls("POST", row)

    @classmethod
    def insert_or_replace(cls, row: Row) -> Operation:
        """Insert or replace."""
        return cls("PUT", row)

    @classmethod
    def merge(cls, row: Row, etag: str) -> Operation:
        """Merge, refused when the row changed."""
        return cls("PATCH", row, etag)

    @classmethod
    def delete(cls, row: Row) -> Operation:
        """Delete, whatever it is now."""
        return cls("DELETE", row, "*")


class Table:
    """One table."""

    def __init__(self, wire: Wire, name: str) -> None:
        self._wire = wire
        self.name = name

    def _path(self, partition_key: str, row_key: str) -> str:
        keys = (quote(key.replace("'", "''"), safe="") for key in (partition_key, row_key))
        return "/{}(PartitionKey='{}',RowKey='{}')".format(self.name, *keys)

    def _path_of(self, row: Mapping[str, Any]) -> str:
        return self._path(row["PartitionKey"], row["RowKey"])

    async def create(self) -> bool:
        """Create the table; False when it is there."""
        try:
            await self._wire.table("POST", "/Tables", {}, _QUIET, json.dumps({"TableName": self.name}).encode())
        except StorageError as error:
            if error.status == 409:
                return False
            raise
        return True

    async def insert(self, row: Row) -> None:
        """Insert; StorageError 409 when it is there."""
        await self._wire.table("POST", f"/{self.name}", {}, _QUIET, encode(row))

    async def insert_or_merge(self, row: Row) -> None:
        """Insert, or merge into what is there."""
        await self._wire.table("PATCH", self._path_of(row), {}, _QUIET, encode(row))

    async def merge(self, row: Row, etag: str = "*") -> None:
        """Merge into what is there; StorageError 404 when nothing is, 412 when it changed."""
        await self._wire.table("PATCH", self._path_of(row), {}, {**_QUIET, "If-Match": etag}, encode(row))

    async def replace(self, row: Row, etag: str) -> None:
        """Replace; StorageError 412 when it changed."""
        await self._wire.table("PUT", self._path_of(row), {}, {**_QUIET, "If-Match": etag}, encode(row))

    async def delete(self, partition_key: str, row_key: str) -> bool:
        """Delete; False when it is gone already."""
        try:
            await self._wire.table("DELETE", self._path(partition_key, row_key), {}, {**_QUIET, "If-Match": "*"})
        except StorageError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def get(self, partition_key: str, row_key: str) -> Row | None:
        """Read a row; None when there is none."""
        try:
            response = await self._wire.table("GET", self._path(partition_key, row_key), {}, _READ)
        except StorageError as error:
            if error.status == 404:
                return None
            raise
        row = decode(json.loads(response.body))
        row.setdefault(ETAG, response.headers.get("ETag"))
        return row

    async def page(
        self,
        condition: str | None = None,
        *,
        select: Sequence[str] | None = None,
        top: int | None = None,
        token: Token | None = None,
    ) -> tuple[list[Row], Token | None]:
        """One page of rows, and the token of the next."""
        query: dict[str, str] = {}
        if condition is not None:
            query["$filter"] = condition
        if select is not None:
            query["$select"] = ",".join(select)
        if top is not None:
            query["$top"] = str(top)
        for name, value in (token or {}).items():
            query[f"Next{name}"] = value
        response = await self._wire.table("GET", f"/{self.name}()", query, _READ)
        rows = [decode(body) for body in json.loads(response.body)["value"]]
        following = {
            name: response.headers[f"x-ms-continuation-Next{name}"]
            for name in ("PartitionKey", "RowKey")
            if response.headers.get(f"x-ms-continuation-Next{name}")
        }
        return rows, following or None

    async def query(self, condition: str | None = None) -> AsyncIterator[Row]:
        """All rows, page after page."""
        token: Token | None = None
        while True:
            rows, token = await self.page(condition, token=token)
            for row in rows:
                yield row
            if token is None:
                return

    async def transaction(self, operations: Sequence[Operation]) -> str:
        """All operations or none; returns the last one's ETag. StorageError carries the status of the refused one."""
        batch, changes = f"batch_{uuid.uuid4().hex}", f"changeset_{uuid.uuid4().hex}"
        lines = [f"--{batch}", f"Content-Type: multipart/mixed; boundary={changes}", ""]
        for number, operation in enumerate(operations):
            lines += self._lines(changes, number, operation)
        lines += [f"--{changes}--", f"--{batch}--", ""]
        headers = {"Content-Type": f"multipart/mixed; boundary={batch}", "DataServiceVersion": "3.0"}
        text = "\r\n".join(lines).encode("utf-8", "surrogatepass")
        response = await self._wire.table("POST", "/$batch", {}, headers, text)
        refused = [int(status) for status in _STATUS.findall(response.body) if int(status) >= 400]
        if refused:
            raise StorageError(refused[0], response.body.decode(errors="replace"))
        etags = _ETAG.findall(response.body)
        return etags[-1].decode() if etags else ""

    def _lines(self, changes: str, number: int, operation: Operation) -> list[str]:
        path = f"/{self.name}" if operation.method == "POST" else self._path_of(operation.row)
        body = "" if operation.method == "DELETE" else encode(operation.row).decode("utf-8", "surrogatepass")
        condition = [] if operation.etag is None else [f"If-Match: {operation.etag}"]
        return [
            f"--{changes}",
            "Content-Type: application/http",
            "Content-Transfer-Encoding: binary",
            f"Content-ID: {number}",
            "",
            f"{operation.method} {self._wire.account.table_endpoint}{path} HTTP/1.1",
            "Content-Type: application/json",
            "Accept: application/json;odata=minimalmetadata",
            "Prefer: return-no-content",
            "DataServiceVersion: 3.0",
            *condition,
            "",
            body,
        ]
