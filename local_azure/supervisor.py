"""One Functions host as a child process: start, readiness, requests in flight, polite stop."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import logging
import re
import secrets
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from local_azure.settings import Timing

log = logging.getLogger("local_azure.host")

INTERNAL_HEADER = "x-local-azure-internal"
LISTENING = re.compile(r"listening on \S+:(\d+)")
READY_STATES = frozenset({"Running", "Error"})
PR_SET_PDEATHSIG = 1


class HostDidNotStart(RuntimeError):
    """The process ended, or did not answer in time; the message gives what it printed last."""


@dataclass(frozen=True)
class HostPlan:
    """All that is needed to start a slot's host."""

    label: str
    content: Path
    environment: Mapping[str, str]
    internal_token: str
    log_file: Path


# Looked up here and not in the child: between fork and exec as little as possible should happen.
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Runs in the child: ask Linux for a SIGKILL when local Azure ends, also when it ends by one."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class HostProcess:
    """A running host. Who forwards a request to it says so with `take` and `give_back`, so that a stop can wait."""

    def __init__(self, plan: HostPlan, process: asyncio.subprocess.Process, timing: Timing) -> None:
        self.plan = plan
        self.port = 0
        """Where it listens; known once it says so."""
        self.label = plan.label
        self.on_exit: Callable[[HostProcess], None] | None = None
        """Called when the process ends without having been asked to."""
        self._process = process
        self._timing = timing
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._listening = asyncio.Event()
        self._last_lines: deque[str] = deque(maxlen=15)
        self._output = asyncio.create_task(self._read_output())
        self._exit = asyncio.create_task(self._watch())

    @classmethod
    async def start(cls, plan: HostPlan, *, command: Sequence[str], timing: Timing) -> HostProcess:
        """Start the process and wait until its HTTP answers and its state is known; raises HostDidNotStart."""
        arguments = [*command, "--content", str(plan.content), "--listen", "127.0.0.1:0"]
        process = await asyncio.create_subprocess_exec(
            *arguments,
            env=dict(plan.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=_die_with_parent,
            start_new_session=True,
        )
        host = cls(plan, process, timing)
        try:
            async with asyncio.timeout(timing.host_start):
                await host._wait_until_listening()
                await host._wait_until_ready()
        except TimeoutError:
            await host.stop(drain=0)
            raise HostDidNotStart(
                f"expected the host of {plan.label} to answer in {timing.host_start:.0f} s, found that it does not; "
                f"its log {plan.log_file} ends: {host.tail()}"
            ) from None
        except BaseException:
            await host.stop(drain=0)
            raise
        return host

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.returncode is None

    def tail(self) -> str:
        """The last lines that it printed."""
        return " | ".join(self._last_lines) or "(nothing)"

    async def _read_output(self) -> None:
        assert self._process.stdout is not None
        with self.plan.log_file.open("ab") as file:
            async for line in self._process.stdout:
                file.write(line)
                file.flush()
                text = line.decode(errors="replace").strip()
                self._last_lines.append(text)
                if (found := LISTENING.fullmatch(text)) and not self.port:
                    self.port = int(found[1])
                    self._listening.set()

    async def _watch(self) -> None:
        await self._process.wait()
        self._listening.set()  # who waits for it looks at `alive`
        if not self._stopping and self.on_exit is not None:
            self.on_exit(self)

    async def _wait_until_listening(self) -> None:
        await self._listening.wait()
        if not self.alive:
            # Its last words may still be in the pipe.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._output), 1)
            raise HostDidNotStart(
                f"the host of {self.plan.label} ended at its start with code {self._process.returncode}: {self.tail()}"
            )

    async def _wait_until_ready(self) -> None:
        """Wait until the host says Running or Error, as Azure's front end waits for a cold start."""
        pause = 0.03
        while self.alive:
            with contextlib.suppress(httpx.HTTPError, json.JSONDecodeError):
                status = await self.get("/admin/host/status")
                if status.status_code == 200 and status.json().get("state") in READY_STATES:
                    return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, 0.3)
        await self._wait_until_listening()

    async def get(self, path: str, *, headers: Mapping[str, str] | None = None, limit: float = 10) -> httpx.Response:
        """GET from the host with its master rights."""
        return await self.call("GET", path, headers=headers, limit=limit)

    async def call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        limit: float = 30,
    ) -> httpx.Response:
        """Send a request of our own to the host; raises httpx.HTTPError when it does not answer."""
        own = {INTERNAL_HEADER: self.plan.internal_token, **(headers or {})}
        async with _plain_client() as client:
            url = f"http://127.0.0.1:{self.port}{path}"
            return await client.request(method, url, headers=own, content=content, timeout=limit)

    async def ping(self, path: str, headers: Mapping[str, str], limit: float) -> httpx.Response:
        """GET from the host as anybody could; raises httpx.HTTPError."""
        async with _plain_client() as client:
            return await client.get(f"http://127.0.0.1:{self.port}{path}", headers=dict(headers), timeout=limit)

    def take(self) -> None:
        """Note a request in flight; each needs one `give_back`."""
        self._in_flight += 1
        self._idle.clear()

    def give_back(self) -> None:
        """Note the end of a request in flight."""
        self._in_flight -= 1
        if self._in_flight == 0:
            self._idle.set()

    async def stop(self, *, drain: float | None = None) -> None:
        """Let requests in flight finish (at most `drain` seconds), then stop the process: politely, then for good."""
        limit = self._timing.drain if drain is None else drain
        if limit and not self._idle.is_set():
            try:
                await asyncio.wait_for(self._idle.wait(), limit)
            except TimeoutError:
                log.warning(
                    "%s: %d requests still in flight after %.0f s are cut off", self.label, self._in_flight, limit
                )
        self._stopping = True
        if self.alive:
            started = time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(asyncio.shield(self._exit), self._timing.stop)
            except TimeoutError:
                log.warning(
                    "%s: the host (pid %d) did not stop in %.0f s and is killed",
                    self.label,
                    self.pid,
                    time.monotonic() - started,
                )
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
        await self._exit
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._output), 1)


def _plain_client() -> httpx.AsyncClient:
    """A client for plain http on loopback. Reading the certificate store, as by default, would cost 30 ms a call."""
    return httpx.AsyncClient(trust_env=False, verify=False)


def new_internal_token() -> str:
    """A secret between local Azure and one host."""
    return secrets.token_urlsafe(24)


def json_or_none(response: httpx.Response) -> Any:
    """The JSON of a host's successful answer, or None."""
    if response.status_code != 200:
        return None
    try:
        return response.json()
    except ValueError:
        return None
