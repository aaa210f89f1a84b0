"""Azurite as a child process: the storage account of the demo and of the tests."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

ACCOUNT = "devstoreaccount1"
# The development account's key is public: it is printed in Azurite's own documentation.
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
EXECUTABLE = Path(__file__).resolve().parent.parent / "node_modules" / ".bin" / "azurite"
START_TIMEOUT_SECONDS = 30.0


class AzuriteError(RuntimeError):
    """Azurite did not start; the message says what it printed."""


@dataclass(frozen=True)
class Ports:
    """The three loopback ports of one Azurite."""

    blob: int
    queue: int
    table: int


def free_ports(count: int) -> list[int]:
    """Return `count` loopback ports that are free at this moment, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]


def connection_string(ports: Ports, host: str = "127.0.0.1") -> str:
    """Return the connection string of the development account on these ports."""
    return (
        f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
        f"BlobEndpoint=http://{host}:{ports.blob}/{ACCOUNT};"
        f"QueueEndpoint=http://{host}:{ports.queue}/{ACCOUNT};"
        f"TableEndpoint=http://{host}:{ports.table}/{ACCOUNT};"
    )


class Azurite:
    """One Azurite process, in memory or with its state in `location`.

    Stop it with `stop` (SIGTERM): killed outright it loses writes that it has acknowledged, so it is no subject for
    crash tests.
    """

    def __init__(self, *, ports: Ports | None = None, location: Path | None = None, log: Path | None = None) -> None:
        self.ports = ports or Ports(*free_ports(3))
        self.location = location
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connection_string(self) -> str:
        """The development account's connection string."""
        return connection_string(self.ports)

    def start(self) -> Azurite:
        """Start the process and wait until its three ports answer; raises AzuriteError when they do not."""
        if not EXECUTABLE.exists():
            raise AzuriteError(f"expected Azurite at {EXECUTABLE}, found nothing: run `make setup` first")
        command = [str(EXECUTABLE), "--silent", "--skipApiVersionCheck", "--disableTelemetry", "--loose"]
        command += ["--blobPort", str(self.ports.blob), "--queuePort", str(self.ports.queue)]
        command += ["--tablePort", str(self.ports.table)]
        if self.location is None:
            command.append("--inMemoryPersistence")
        else:
            self.location.mkdir(parents=True, exist_ok=True)
            command += ["--location", str(self.location)]
        with Path(self._log or os.devnull).open("ab") as output:
            # A session of its own, so that Ctrl-C in the terminal reaches our clean stop and not Azurite first.
            self._process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
        self._wait_until_ready()
        return self

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        waiting = {self.ports.blob, self.ports.queue, self.ports.table}
        while waiting:
            if self._process.poll() is not None:
                raise AzuriteError(f"Azurite ended at once with exit code {self._process.returncode}; see {self._log}")
            if time.monotonic() > deadline:
                self.stop()
                raise AzuriteError(f"Azurite did not open its ports {sorted(waiting)} in {START_TIMEOUT_SECONDS:.0f} s")
            for port in list(waiting):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    waiting.discard(port)
            if waiting:
                time.sleep(0.05)

    def stop(self) -> None:
        """End the process politely, so that what it keeps on disk is whole."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Azurite:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
