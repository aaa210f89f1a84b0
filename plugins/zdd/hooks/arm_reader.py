"""A light async reader of the Resource Manager: what triggers need, without the 225 MB of azure-mgmt-web."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zdd.exceptions import BadInput, Unknown
from zdd.hooks.azure_account import AzureAccount, http_policies

API_VERSION = "2025-05-01"
TIMEOUT_SECONDS = 30


class NotThere(Unknown):
    """The Resource Manager or the file API answered 404: the thing asked for does not exist."""


class ArmReader:
    """Reads resources by path. Use as an async context manager; never changes anything."""

    def __init__(self, account: AzureAccount) -> None:
        self.account = account
        self._client: Any = None
        self._credential: Any = None

    async def __aenter__(self) -> ArmReader:
        from azure.core.pipeline import policies
        from azure.mgmt.core import AsyncARMPipelineClient
        from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy

        self._credential = self.account.async_credential()
        self._client = AsyncARMPipelineClient(
            base_url=self.account.resource_manager,
            policies=[
                policies.RequestIdPolicy(),
                policies.UserAgentPolicy("zdd"),
                *http_policies(self.account),
                policies.AsyncRetryPolicy(retry_total=3, retry_backoff_factor=0.4),
                AsyncARMChallengeAuthenticationPolicy(self._credential, self.account.scope),
            ],
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._client.close()
        await self._credential.close()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """GET a resource (a path below the Resource Manager) as JSON. Raises NotThere, BadInput or Unknown."""
        return _as_json(await self._ask("GET", self._url(path), query), path)

    async def get_bytes(self, url_or_path: str) -> bytes:
        """GET a file: a path below the Resource Manager, or a whole address at a deployment endpoint."""
        return await self._ask("GET", url_or_path if "://" in url_or_path else self._url(url_or_path), None)

    async def list_secrets(self, path: str) -> Any:
        """POST a `…/list` action: Azure's way to read what holds secrets (settings, keys)."""
        return _as_json(await self._ask("POST", self._url(path), None), path)

    def _url(self, path: str) -> str:
        return f"{self.account.resource_manager}{path}"

    async def _ask(self, method: str, url: str, query: Mapping[str, str] | None) -> bytes:
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
        from azure.core.rest import HttpRequest

        params = {"api-version": API_VERSION, **(query or {})}
        try:
            answer = await self._client.send_request(
                HttpRequest(method, url, params=params),
                connection_timeout=TIMEOUT_SECONDS,
                read_timeout=TIMEOUT_SECONDS,
            )
            body = await answer.read()
        except ClientAuthenticationError as error:
            raise BadInput(
                "Azure refused the identity of the connection",
                expected="a token",
                found=str(error.message).split("\n")[0],
                do="check client id, secret and tenant of the azure connection",
            ) from error
        except HttpResponseError as error:
            raise explain(method, url, error.status_code or 0, str(error.message)) from error
        except AzureError as error:
            raise Unknown(
                f"No answer to {method} {_short(url)}", found=str(error).split("\n")[0], do="it is tried again"
            ) from error
        if answer.status_code >= 400:
            raise explain(method, url, answer.status_code, body[:400].decode("utf-8", "replace"))
        return bytes(body)


def explain(method: str, url: str, status: int, detail: str) -> BadInput | Unknown:
    """Turn an HTTP error of Azure into the error of ours that says what to do."""
    what = f"{method} {_short(url)}"
    found = f"HTTP {status}: {_message(detail)}"
    if status == 404:
        return NotThere(f"{what} found nothing", found=found, do="check resource group, app and slot name")
    if status == 401:
        return BadInput(f"{what} was refused", found=found, do="check the azure connection's identity")
    if status == 403:
        return BadInput(
            f"{what} was refused",
            expected="an identity with the rights of the slot deployer role",
            found=found,
            do="grant the role on the function app, then run the release again",
        )
    return Unknown(f"{what} was not answered", found=found, do="it is tried again")


def _message(detail: str) -> str:
    try:
        body = json.loads(detail)
    except ValueError:
        return detail[:300]
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict):
            return str(inner.get("message") or inner.get("Message") or detail)[:300]
    return detail[:300]


def _short(url: str) -> str:
    """Path of an address from the provider on: without host, subscription and query (which may hold a key)."""
    path = url.split("?")[0]
    return path.split("/providers/")[-1] if "/providers/" in path else path.split("://")[-1]


def _as_json(body: bytes, path: str) -> Any:
    try:
        return json.loads(body) if body else {}
    except ValueError as error:
        raise Unknown(f"GET {_short(path)} gave no JSON", found=repr(body[:80]), do="it is tried again") from error
