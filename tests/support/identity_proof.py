"""Run as a process of its own: proves a hub bound by identity, with a token that this script makes.

A process, since the certificate that it has to trust (SSL_CERT_FILE) is read when the HTTP library is imported.
Arguments: blob, queue and table port; hours until the token expires, the hub; prints the states before and after a row.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import time
from types import SimpleNamespace
from typing import Any

from azure.core.credentials import AccessToken

from local_azure.azurite import Ports, connection_string
from tests.support.task_hub_storage import hub_in_storage
from zdd.core.host_json import StorageKind, StorageReference, TaskHubBinding
from zdd.hooks.task_hub import prove_once


def token(hours: float) -> AccessToken:
    """A token of the right form; the emulator checks form and times, not the signature."""
    now = int(time.time())
    claims = {
        "aud": "https://storage.azure.com",
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "iat": now - 7200,
        "nbf": now - 7200,
        "exp": now + int(3600 * hours),
    }
    parts = (json.dumps({"alg": "RS256", "typ": "JWT"}), json.dumps(claims), "signature")
    text = ".".join(base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts)
    return AccessToken(text, now + 3600)


class Credential:
    """What an identity gives: a token, asked for by scope."""

    def __init__(self, hours: float) -> None:
        self._hours = hours

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        assert scopes == ("https://storage.azure.com/.default",)
        return token(self._hours)


async def main(ports: Ports, hours: float, hub_name: str) -> None:
    """Make a hub with the account's key, then read it by identity."""
    account = "devstoreaccount1"
    endpoints = SimpleNamespace(
        **{name: f"https://127.0.0.1:{getattr(ports, name)}/{account}" for name in ("blob", "queue", "table")}
    )
    reference = StorageReference(
        "Orders",
        StorageKind.IDENTITY,
        table_endpoint=endpoints.table,
        queue_endpoint=endpoints.queue,
        blob_endpoint=endpoints.blob,
        account=account,
    )
    binding = TaskHubBinding(hub_name, reference)
    by_key = connection_string(ports).replace("http://", "https://").replace("Protocol=http;", "Protocol=https;")
    async with hub_in_storage(by_key, hub_name) as hub:
        empty = await prove_once(binding, credential=Credential(hours))  # type: ignore[arg-type]
        await hub.row("order-1")
        busy = await prove_once(binding, credential=Credential(hours))  # type: ignore[arg-type]
    print(json.dumps([empty.to_json(), busy.to_json()]))


if __name__ == "__main__":
    asyncio.run(main(Ports(*map(int, sys.argv[1:4])), float(sys.argv[4]), sys.argv[5]))
