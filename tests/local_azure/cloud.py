"""Helpers for tests of local Azure: SDK clients for plain http, packages, waiting."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.aio import WebSiteManagementClient as AsyncWebSiteManagementClient

from local_azure.launch import LocalAzure

STAND_IN = (sys.executable, str(Path(__file__).with_name("stand_in_host.py")))


class AllowHttp(SansIOHTTPPolicy):  # type: ignore[type-arg]
    def on_request(self, request: Any) -> None:
        request.context.options.setdefault("enforce_https", False)


def token_of(azure: LocalAzure) -> AccessToken:
    """A token for the service principal that local Azure knows."""
    form = {
        "grant_type": "client_credentials",
        "client_id": azure.client_id,
        "client_secret": azure.client_secret,
        "scope": "https://management.azure.com/.default",
    }
    answer = httpx.post(f"{azure.url}/{azure.tenant_id}/oauth2/v2.0/token", data=form)
    answer.raise_for_status()
    return AccessToken(answer.json()["access_token"], int(time.time()) + answer.json()["expires_in"])


class Credential:
    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return token_of(self._azure)


class AsyncCredential:
    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return token_of(self._azure)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> AsyncCredential:
        return self

    async def __aexit__(self, *args: object) -> None:
        pass


def client_of(azure: LocalAzure) -> WebSiteManagementClient:
    return WebSiteManagementClient(
        Credential(azure),
        azure.subscription_id,
        base_url=azure.url,
        per_call_policies=[AllowHttp()],
        polling_interval=1,
    )


def async_client_of(azure: LocalAzure) -> AsyncWebSiteManagementClient:
    return AsyncWebSiteManagementClient(
        AsyncCredential(azure),
        azure.subscription_id,
        base_url=azure.url,
        per_call_policies=[AllowHttp()],
        polling_interval=1,
    )


def package(version: str, **files: str) -> bytes:
    """A zip of a function app that the stand-in host runs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("host.json", '{"version": "2.0", "made": "' + version + '"}')
        file.writestr("version.txt", version)
        for name, text in files.items():
            file.writestr(name.replace("__", "-") + ".txt", text)
    return buffer.getvalue()


def eventually(what: Callable[[], bool], *, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


@contextmanager
def running(state: Path, **options: Any) -> Iterator[LocalAzure]:
    azure = LocalAzure(state, host_command=STAND_IN, phase_seconds=0.15, **options)
    try:
        yield azure.start()
    finally:
        azure.stop()
