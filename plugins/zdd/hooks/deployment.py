"""Zip deployment to a slot's deployment endpoint: pushed once, followed by its own id, explained when it fails.

The answer for `latest` is shared by everybody who deploys, so only the id of our own deployment is ever asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zdd import settings
from zdd.exceptions import BadInput, Conflict, ReleaseFailed, Unknown
from zdd.hooks.azure import AzureHook
from zdd.hooks.slot_reader import SlotName, SlotReader, deployment_host

DEPLOYER = "zdd"
ID_HEADER = "SCM-DEPLOYMENT-ID"
PUSH_TIMEOUT_SECONDS = 600
ASK_TIMEOUT_SECONDS = 30
LOG_LINES = 15


class DeployStatus(IntEnum):
    """Status numbers of the deployment endpoint (Kudu's DeployStatus)."""

    CANCELLED = -1
    PENDING = 0
    BUILDING = 1
    DEPLOYING = 2
    FAILED = 3
    SUCCESS = 4
    CONFLICT = 5
    PARTIAL = 6

    @property
    def is_terminal(self) -> bool:
        """Whether it will not change any more. Only SUCCESS is a success: cancelled and partial are not."""
        return self not in (DeployStatus.PENDING, DeployStatus.BUILDING, DeployStatus.DEPLOYING)


@dataclass(frozen=True)
class Deployment:
    """One deployment as the endpoint tells it."""

    id: str
    status: DeployStatus
    text: str = ""
    log_url: str | None = None


class DeploymentHook:
    """Pushes packages to a slot. Sync, for tasks; `http` is injected in tests."""

    def __init__(
        self,
        azure: AzureHook,
        name: SlotName,
        *,
        http: Any = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.azure = azure
        self.name = name
        self._sleep = sleep
        self._http = http
        self._base: str | None = None
        self._credential: Any = None

    def find(self, message: str) -> Deployment | None:
        """The newest deployment that we pushed with this message (a retry looks here before it pushes again)."""
        for entry in self._ask("GET", "/api/deployments").json():
            if entry.get("message") == message and entry.get("deployer") == DEPLOYER:
                return _deployment(entry)
        return None

    def push(self, package: Path, *, message: str) -> str:
        """Push a zip and return the id of the deployment that it started.

        :raises Conflict: another deployment runs.
        :raises BadInput: the endpoint refuses us or the package.
        """
        query = {
            "isAsync": "true",
            "trackDeploymentProgress": "true",
            "deployer": DEPLOYER,
            "message": message,
        }
        with package.open("rb") as content:
            answer = self._ask("POST", "/api/zipdeploy", params=query, content=content, timeout=PUSH_TIMEOUT_SECONDS)
        if identity := answer.headers.get(ID_HEADER):
            return str(identity)
        # Older endpoints name no id in the header: the message, which holds the release id, finds our own.
        found = self.find(message)
        if found is None:
            raise Unknown(
                f"The deployment endpoint of {self.name.label} took the package and names no deployment",
                expected=f"header {ID_HEADER}",
                found=f"HTTP {answer.status_code} without it",
                do="the retry looks for the deployment again",
            )
        return found.id

    def status(self, deployment_id: str) -> Deployment:
        """One look at a deployment."""
        return _deployment(self._ask("GET", f"/api/deployments/{deployment_id}").json())

    def follow(self, deployment_id: str, tell: Callable[[str], None] | None = None) -> Deployment:
        """Wait until a deployment has ended well. Raises ReleaseFailed with the end of its log otherwise."""
        deadline = time.monotonic() + settings.deployment_timeout().total_seconds()
        told = None
        while True:
            deployment = self.status(deployment_id)
            if deployment.status is not told and tell is not None:
                tell(f"deployment {deployment_id}: {deployment.status.name.lower()} {deployment.text}".rstrip())
                told = deployment.status
            if deployment.status is DeployStatus.SUCCESS:
                return deployment
            if deployment.status.is_terminal:
                raise ReleaseFailed(
                    f"The deployment to {self.name.label} ended as {deployment.status.name.lower()}",
                    expected="success",
                    found=f"{deployment.text or 'no text'}; log: {self._log(deployment_id)}",
                    do="read the deployment's log, correct the package, start the release again",
                )
            if time.monotonic() > deadline:
                raise Unknown(
                    f"The deployment to {self.name.label} does not end",
                    expected=f"an end within {settings.deployment_timeout()}",
                    found=f"{deployment.status.name.lower()} {deployment.text}",
                    do="the retry follows the same deployment",
                )
            self._sleep(settings.arm_poll_seconds())

    def _log(self, deployment_id: str) -> str:
        try:
            entries = self._ask("GET", f"/api/deployments/{deployment_id}/log").json()
        except Unknown as error:
            return f"not readable ({error})"
        lines = [str(entry.get("message", "")) for entry in entries if isinstance(entry, Mapping)]
        return " | ".join(line for line in lines[-LOG_LINES:] if line)[:1500]

    # --- the endpoint ----------------------------------------------------------------------------------------------

    def _base_url(self) -> str:
        if self._base is None:
            import asyncio

            async def site() -> Mapping[str, Any]:
                async with self.azure.reader() as arm:
                    return await SlotReader(arm, self.name).site()

            self._base = f"{self.azure.account.scheme}://{deployment_host(asyncio.run(site()), self.name)}"
        return self._base

    def _ask(self, method: str, path: str, *, timeout: float = ASK_TIMEOUT_SECONDS, **options: Any) -> Any:
        import httpx

        if self._credential is None:
            self._credential = self.azure.account.credential()
        url = f"{self._base_url()}{path}"
        headers = {"Authorization": f"Bearer {self._credential.get_token(self.azure.account.scope).token}"}
        if "content" in options:
            headers["Content-Type"] = "application/zip"
        client = self._http or httpx
        try:
            answer = client.request(method, url, headers=headers, timeout=timeout, **options)
        except httpx.HTTPError as error:
            raise Unknown(
                f"The deployment endpoint of {self.name.label} does not answer",
                found=f"{type(error).__name__} at {urlsplit(url).netloc}",
                do="it is tried again",
            ) from error
        if answer.status_code < 400:
            return answer
        found = f"HTTP {answer.status_code}: {answer.text[:300]}"
        if answer.status_code == 409:
            raise Conflict(
                f"{self.name.label} does not take a deployment now",
                expected="no other deployment, no auto swap and no package by URL",
                found=found,
                do="the retry waits for it; end the other deployment if it is stuck",
            )
        if answer.status_code in (401, 403):
            raise BadInput(
                f"The deployment endpoint of {self.name.label} refused us",
                expected="an identity that may publish",
                found=found,
                do="grant the slot deployer role on the app",
            )
        if answer.status_code in (400, 413, 415):
            raise BadInput(
                f"The deployment endpoint of {self.name.label} refused the package",
                expected="a zip that it can unpack",
                found=found,
                do="build the package again",
            )
        raise Unknown(f"{method} {path} at {self.name.label} failed", found=found, do="it is tried again")


def _deployment(entry: Mapping[str, Any]) -> Deployment:
    number = entry.get("status")
    try:
        status = DeployStatus(int(number if number is not None else -99))
    except ValueError as error:
        raise Unknown("The deployment's status is not known", expected="-1 to 6", found=repr(number)) from error
    text = str(entry.get("status_text") or entry.get("progress") or "")
    return Deployment(str(entry.get("id")), status, text, entry.get("log_url"))
