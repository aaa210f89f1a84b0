"""Local Azure as a child process, for tests and the demo."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from local_azure.settings import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_LOCATION,
    DEFAULT_RESOURCE_GROUP,
    DEFAULT_SUBSCRIPTION_ID,
    DEFAULT_TENANT_ID,
)

ROOT = Path(__file__).resolve().parent.parent
START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 30.0


class LocalAzureError(RuntimeError):
    """Local Azure did not start; the message gives what it printed last."""


class LocalAzure:
    """One local Azure with its state in `state_dir`.

    `start` waits until the Resource Manager answers; the hosts of sites that the state holds start behind it. The port
    of the first start is kept, so that `url` and every slot's address stay the same over `stop` or `kill` and `start`.
    """

    client_id = DEFAULT_CLIENT_ID
    client_secret = DEFAULT_CLIENT_SECRET
    tenant_id = DEFAULT_TENANT_ID
    subscription_id = DEFAULT_SUBSCRIPTION_ID
    resource_group = DEFAULT_RESOURCE_GROUP
    location = DEFAULT_LOCATION

    def __init__(
        self,
        state_dir: Path,
        *,
        storage: str | None = None,
        listen: str = "127.0.0.1:0",
        phase_seconds: float | None = None,
        host_command: Sequence[str] = (),
        options: Sequence[str] = (),
        log: Path | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.storage = storage
        """Connection string of the storage that its apps use: kept for callers, local Azure itself needs none."""
        self.log = log or state_dir / "local-azure.log"
        self._listen = listen
        self._options = list(options)
        if phase_seconds is not None:
            self._options += ["--phase-seconds", str(phase_seconds)]
        if host_command:
            self._options += ["--host-command", shlex.join(host_command)]
        self._process: subprocess.Popen[bytes] | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """Address of the Resource Manager and of the token endpoint, without a slash at the end."""
        if self._url is None:
            raise LocalAzureError("expected a started local Azure, found none: call start() first")
        return self._url

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> LocalAzure:
        """Start the process and wait until it answers; raises LocalAzureError when it does not."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "local_azure", "--listen", self._listen, "--state", str(self.state_dir)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *_paths("PYTHONPATH")])}
        with self.log.open("ab") as output:
            # A session of its own, so that Ctrl-C in a terminal reaches our clean stop first.
            self._process = subprocess.Popen(
                [*command, *self._options],
                stdout=subprocess.PIPE,
                stderr=output,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )
        self._url = self._read_address()
        self._listen = self._url.removeprefix("http://")
        return self

    def _read_address(self) -> str:
        """Wait for the line that says the address; everything after it is read away by a thread."""
        assert self._process is not None
        assert self._process.stdout is not None
        lines = self._process.stdout
        found: list[str] = []
        ready = threading.Event()

        def read() -> None:
            for line in lines:
                text = line.decode(errors="replace").strip()
                if text.startswith("local Azure is ready on "):
                    found.append(text.removeprefix("local Azure is ready on "))
                    ready.set()
            ready.set()

        threading.Thread(target=read, daemon=True).start()
        ready.wait(START_TIMEOUT_SECONDS)
        if not found:
            self.kill()
            raise LocalAzureError(f"local Azure did not start; its log {self.log} ends:\n{self._log_tail()}")
        return found[0]

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:]) if self.log.exists() else ""

    def stop(self) -> None:
        """End the process politely: its hosts get time to stop, too."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process by SIGKILL, as a power cut does; its hosts end with it."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            time.sleep(0.05)  # the kernel gives the children their signal a moment later

    def __enter__(self) -> LocalAzure:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _paths(variable: str) -> list[str]:
    return [part for part in os.environ.get(variable, "").split(os.pathsep) if part]
