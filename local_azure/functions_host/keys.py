"""The host's keys, kept as the real host keeps them: JSON blobs in `azure-webjobs-secrets` of AzureWebJobsStorage.

The folder is named after site and slot, so keys stay with the slot when contents are swapped.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

CONTAINER = "azure-webjobs-secrets"
EXTENSION_KEY = "durabletask_extension"
DEFAULT_KEY = "default"


@dataclass(frozen=True)
class HostKeys:
    """The keys that count for the whole host. Values never show in a representation."""

    master: str = field(repr=False)
    functions: dict[str, str] = field(repr=False)
    system: dict[str, str] = field(repr=False)


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
            document = await self._read_or_create("host.json", self._fresh_host_document())
            self._host = HostKeys(
                master=document["masterKey"]["value"],
                functions=_values(document["functionKeys"]),
                system=_values(document["systemKeys"]),
            )
        return self._host

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
        from azure.storage.blob.aio import BlobServiceClient

        async with BlobServiceClient.from_connection_string(self._connection_string) as service:
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


def _key(name: str) -> dict[str, Any]:
    return {"name": name, "value": urlsafe_b64encode(secrets.token_bytes(40)).decode(), "encrypted": False}


def _values(keys: list[dict[str, Any]]) -> dict[str, str]:
    return {key["name"]: key["value"] for key in keys}
