"""The host's keys, kept as the real host keeps them: JSON blobs in `azure-webjobs-secrets` of AzureWebJobsStorage.

The folder is named after site and slot, so keys stay with the slot when contents are swapped.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.storage.blob.aio import BlobServiceClient

CONTAINER = "azure-webjobs-secrets"
EXTENSION_KEY = "durabletask_extension"
DEFAULT_KEY = "default"


@dataclass(frozen=True)
class HostKeys:
    """The keys that count for the whole host. Values never show in a representation."""

    master: str = field(repr=False)
    functions: dict[str, str] = field(repr=False)
    system: dict[str, str] = field(repr=False)


class KeyKind(StrEnum):
    """Kinds of host keys; the value is where they stand in the blob."""

    MASTER = "masterKey"
    FUNCTION = "functionKeys"
    SYSTEM = "systemKeys"


class KeyStore:
    """Reads the keys once, makes the missing ones, and answers from memory after that."""

    def __init__(self, connection_string: str, site: str, slot: str) -> None:
        self._connection_string = connection_string
        self._folder = site.lower() if slot.lower() == "production" else f"{site}-{slot}".lower()
        self._host: HostKeys | None = None
        self._of_function: dict[str, dict[str, str]] = {}

    async def host_keys(self) -> HostKeys:
        """Master, function and system keys of the host."""
        if self._host is None:
            self._host = _host_keys(await self._read_or_create("host.json", self._fresh_host_document()))
        return self._host

    @property
    def current(self) -> HostKeys:
        """The host's keys, once they were read."""
        assert self._host is not None, "the keys were not read yet"
        return self._host

    async def put(self, kind: KeyKind, name: str, value: str | None) -> tuple[str, bool]:
        """Create or change a key; without a value a fresh one is made. Returns the value, and whether it is new."""
        document = await self._read_or_create("host.json", self._fresh_host_document())
        key = _key(name)
        if value is not None:
            key["value"] = value
        if kind is KeyKind.MASTER:
            document["masterKey"], is_new = key, False
        else:
            others = [item for item in document[kind.value] if item["name"] != name]
            is_new = len(others) == len(document[kind.value])
            document[kind.value] = [*others, key]
        await self._write("host.json", document)
        return str(key["value"]), is_new

    async def delete(self, kind: KeyKind, name: str) -> bool:
        """Delete a key; False when there is none of that name. The master key stays."""
        document = await self._read_or_create("host.json", self._fresh_host_document())
        keys = [] if kind is KeyKind.MASTER else document[kind.value]
        left = [item for item in keys if item["name"] != name]
        if len(left) == len(keys):
            return False
        document[kind.value] = left
        await self._write("host.json", document)
        return True

    async def function_keys(self, function: str) -> dict[str, str]:
        """The keys of one function by name, made at first use."""
        if function not in self._of_function:
            fresh = {"keys": [_key(DEFAULT_KEY)], **self._tail()}
            document = await self._read_or_create(f"{function.lower()}.json", fresh)
            self._of_function[function] = _values(document["keys"])
        return self._of_function[function]

    def _fresh_host_document(self) -> dict[str, Any]:
        return {
            "masterKey": _key("master"),
            "functionKeys": [_key(DEFAULT_KEY)],
            "systemKeys": [_key(EXTENSION_KEY)],
            **self._tail(),
        }

    def _tail(self) -> dict[str, Any]:
        return {"hostName": None, "instanceId": self._folder, "source": "runtime", "decryptionKeyId": ""}

    async def _read_or_create(self, name: str, fresh: dict[str, Any]) -> dict[str, Any]:
        from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

        async with self._service() as service:
            blob = service.get_blob_client(CONTAINER, f"{self._folder}/{name}")
            for attempt in range(2):
                try:
                    found: dict[str, Any] = json.loads(await (await blob.download_blob()).readall())
                    return found
                except ResourceNotFoundError:
                    if attempt:
                        raise
                with contextlib.suppress(ResourceExistsError):
                    await service.create_container(CONTAINER)
                try:
                    await blob.upload_blob(json.dumps(fresh, indent=2).encode())
                    return fresh
                except ResourceExistsError:
                    continue  # another instance of this slot was first: its keys count
        raise AssertionError("unreachable")

    async def _write(self, name: str, document: dict[str, Any]) -> None:
        async with self._service() as service:
            blob = service.get_blob_client(CONTAINER, f"{self._folder}/{name}")
            await blob.upload_blob(json.dumps(document, indent=2).encode(), overwrite=True)
        self._host = _host_keys(document)

    def _service(self) -> BlobServiceClient:
        from azure.storage.blob.aio import BlobServiceClient

        # The SDK's own patience, a minute and more, is longer than anybody waits for a host.
        return BlobServiceClient.from_connection_string(
            self._connection_string, retry_total=2, initial_backoff=0.5, increment_base=1.5, connection_timeout=5
        )


def _host_keys(document: dict[str, Any]) -> HostKeys:
    return HostKeys(
        master=document["masterKey"]["value"],
        functions=_values(document["functionKeys"]),
        system=_values(document["systemKeys"]),
    )


def _key(name: str) -> dict[str, Any]:
    return {"name": name, "value": urlsafe_b64encode(secrets.token_bytes(40)).decode(), "encrypted": False}


def _values(keys: list[dict[str, Any]]) -> dict[str, str]:
    return {key["name"]: key["value"] for key in keys}
