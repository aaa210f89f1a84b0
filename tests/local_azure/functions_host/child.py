"""A Functions host as a child process, with the calls that the tests make."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "internal-token"
LIVE = ("Pending", "Running", "Suspended", "ContinuedAsNew")


class Child:
    """One host process; `content` may be changed between `stop` or `kill` and the next `start`."""

    def __init__(self, content: Path, storage: str, hub: str, *, log: Path, **settings: str) -> None:
        self.content = content
        self.hub = hub
        self.settings: Mapping[str, str] = {
            "AzureWebJobsStorage": storage,
            "CUSTOMCONNSTR_HubStorage": storage,
            "EverythingHub": hub,
            "WEBSITE_SITE_NAME": f"site{hub}",
            "WEBSITE_SLOT_NAME": "Production",
            "WEBSITE_HOSTNAME": "front.example:8080",
            "LOCAL_AZURE_INTERNAL_TOKEN": TOKEN,
            **settings,
        }
        self.log = log
        self.http = httpx.Client(timeout=30)
        self.base = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self, *, wait: bool = True) -> Child:
        """Start, and wait until the host is Running or in Error."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("COV_")}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local_azure.functions_host", "--content", str(self.content)],
                env={**environment, "PYTHONPATH": str(ROOT), **self.settings},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on "), self.log.read_text()
        self.base = "http://" + line.split()[-1]
        deadline = time.monotonic() + 30
        while wait and self.status()["state"] not in ("Running", "Error"):
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def stop(self) -> float:
        """Stop politely; returns how long that took."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Stop it at once, as a crash does."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> float:
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(number)
        self._process.wait(timeout=15)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
        return time.monotonic() - began

    def __enter__(self) -> Child:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.kill()
        self.http.close()

    # --- calls ----------------------------------------------------------------------------------------------------

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request without a key."""
        return self.http.request(method, self.base + path, **arguments)

    def admin(self, path: str) -> Any:
        """An answer of the admin API, asked with the internal token."""
        response = self.call("GET", f"/admin/{path}", headers={"x-local-azure-internal": TOKEN})
        assert response.status_code == 200, (path, response.status_code)
        return response.json()

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.admin("host/status")
        return found

    @property
    def system_key(self) -> str:
        return str(self.admin("host/keys")["systemKeys"]["durabletask_extension"])

    def durable(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request to the management API, with the system key."""
        headers = {"x-functions-key": self._key(), **arguments.pop("headers", {})}
        return self.call(method, f"/runtime/webhooks/durabletask/{path}", headers=headers, **arguments)

    def _key(self) -> str:
        if not hasattr(self, "_known_key"):
            self._known_key = self.system_key
        return self._known_key

    def begin(self, name: str, value: Any = None, instance_id: str | None = None) -> str:
        """Start an orchestration through the app's own HTTP function; returns its id."""
        path = f"/api/start/{name}" + (f"/{instance_id}" if instance_id else "")
        response = self.call("POST", path, json=value)
        assert response.status_code == 202, response.text
        return str(response.json()["id"])

    def get(self, instance_id: str) -> dict[str, Any]:
        """An instance's status."""
        found: dict[str, Any] = self.durable("GET", f"instances/{instance_id}").json()
        return found

    def until(self, instance_id: str, *wanted: str, timeout: float = 30.0) -> dict[str, Any]:
        """Wait for one of these statuses, or without any for the end."""
        deadline = time.monotonic() + timeout
        while True:
            response = self.durable("GET", f"instances/{instance_id}")
            if response.status_code != 404:
                found: dict[str, Any] = response.json()
                status = found["runtimeStatus"]
                if status in wanted or (not wanted and status not in LIVE):
                    return found
            assert time.monotonic() < deadline, (response.text, self.log.read_text()[-3000:])
            time.sleep(0.05)


def copy_of(app: Path, to: Path) -> Path:
    """A copy of an app that a test may change."""
    shutil.copytree(app, to)
    return to
