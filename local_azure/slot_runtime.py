"""The running side of one slot: which host serves it, who waits for one, restarts one after the other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from local_azure.settings import Timing
from local_azure.supervisor import HostDidNotStart, HostProcess

log = logging.getLogger("local_azure.slot")

LONGEST_PAUSE_SECONDS = 30.0


class SiteStopped(Exception):
    """The slot is stopped: its front door answers 403."""


class HostUnavailable(Exception):
    """The slot has no host that could answer: 503."""


class SlotRuntime:
    """Serves one slot. From the order to restart on, new requests wait for the new host; older ones finish on the old.

    Restarts asked for while one runs are joined: what was asked last is what runs in the end.
    """

    def __init__(
        self, label: str, start_host: Callable[[], Awaitable[HostProcess]], *, running: bool, timing: Timing
    ) -> None:
        self.label = label
        self.serving: HostProcess | None = None
        self.failure: str | None = None
        """Why the last start failed; None when it did not."""
        self._start_host = start_host
        self._running = running
        self._timing = timing
        self._retired: list[HostProcess] = []
        self._wanted = 0
        self._done = 0
        self._failures = 0
        self._closed = False
        self._worker: asyncio.Task[None] | None = None
        self._starting: asyncio.Task[HostProcess] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._change = asyncio.Event()

    @property
    def running(self) -> bool:
        """Whether the slot is started (which does not say that its host is up)."""
        return self._running

    @property
    def busy(self) -> bool:
        """Whether a start, stop or restart is going on."""
        return self._worker is not None and not self._worker.done()

    # requests

    async def acquire(self, *, limit: float | None = None) -> HostProcess:
        """Return the host that serves, held for the caller (`give_back` it); waits while one starts.

        Raises SiteStopped, or HostUnavailable when none can start or the waiting (`limit` seconds) takes too long.
        """
        deadline = time.monotonic() + (self._timing.hold if limit is None else limit)
        while True:
            if not self._running or self._closed:
                raise SiteStopped(self.label)
            if self.serving is not None and self.serving.alive:
                self.serving.take()
                return self.serving
            if self.failure is not None and not self.busy:
                raise HostUnavailable(self.failure)
            left = deadline - time.monotonic()
            if left <= 0:
                raise HostUnavailable(f"{self.label} has no host yet")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._change.wait(), min(left, 1.0))

    def _changed(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    # life

    def start_soon(self, reason: str) -> None:
        """Start the slot, or restart it when it runs."""
        self._running = True
        self.restart_soon(reason)

    def stop_soon(self, reason: str) -> None:
        """Stop the slot: from now on its requests get 403."""
        self._running = False
        self.restart_soon(reason)

    def restart_soon(self, reason: str) -> None:
        """Let go of the host that serves, at once, and bring up a new one behind."""
        if self._closed:
            return
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._running:
            log.info("%s: host starts: %s", self.label, reason)
        else:
            log.info("%s: stops: %s", self.label, reason)
        self._wanted += 1
        if self._starting is not None:
            self._starting.cancel()  # it would come up with settings or content of before
        if self.serving is not None:
            self._retire(self.serving)
            self.serving = None
        self._changed()
        if not self.busy:
            self._worker = asyncio.create_task(self._converge())

    async def settled(self) -> None:
        """Wait until no start, stop or restart is going on."""
        while self._worker is not None and not self._worker.done():
            await asyncio.shield(self._worker)

    async def restart(self, reason: str) -> HostProcess:
        """Restart and wait; raises HostDidNotStart."""
        self.restart_soon(reason)
        await self.settled()
        if self.serving is None:
            raise HostDidNotStart(self.failure or f"{self.label} is stopped")
        return self.serving

    def _retire(self, host: HostProcess) -> None:
        host.on_exit = None
        self._retired.append(host)

    async def _converge(self) -> None:
        while self._done != self._wanted:
            wanted = self._wanted
            while self._retired:
                await self._retired.pop().stop()
            if self._running and wanted == self._wanted:
                host = await self._try_start()
                if host is not None and wanted == self._wanted and self._running:
                    self.serve(host)
                elif host is not None:
                    self._retired.append(host)
            self._done = wanted
        while self._retired:
            await self._retired.pop().stop()
        self._changed()

    async def _try_start(self) -> HostProcess | None:
        began = time.monotonic()
        self._starting = asyncio.ensure_future(self._start_host())
        try:
            host = await self._starting
        except asyncio.CancelledError:
            worker = asyncio.current_task()
            if worker is not None and worker.cancelling():
                raise  # the slot is closed
            return None  # a newer restart wants another host
        except (HostDidNotStart, OSError, ValueError) as error:
            self._failures += 1
            self.failure = str(error)
            pause = min(2.0 ** (self._failures - 1), LONGEST_PAUSE_SECONDS)
            log.warning(
                "%s: the host did not start (try %d, next in %.0f s): %s", self.label, self._failures, pause, error
            )
            self._retry = asyncio.get_running_loop().call_later(pause, self.restart_soon, "another try")
            return None
        finally:
            self._starting = None
        self.failure = None
        log.info("%s: host is up after %.1f s (pid %d)", self.label, time.monotonic() - began, host.pid)
        return host

    def serve(self, host: HostProcess) -> None:
        """Send requests to this host from now on."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.failure = None
        self.serving = host
        host.on_exit = self._host_died
        self._failures = 0
        self._changed()
        if not host.alive:
            self._host_died(host)

    def release(self) -> HostProcess | None:
        """Give up the host that serves without stopping it: another slot takes it over."""
        host, self.serving = self.serving, None
        if host is not None:
            host.on_exit = None
        self._changed()
        return host

    def retire(self, host: HostProcess) -> None:
        """Have this host stopped by the next restart, after its requests in flight."""
        self._retire(host)

    def _host_died(self, host: HostProcess) -> None:
        if self.serving is host:
            self.serving = None
            log.warning("%s: its host (pid %d) ended by itself: %s", self.label, host.pid, host.tail())
            self.restart_soon("the host had ended")

    async def close(self, *, drain: float) -> None:
        """End for good; requests in flight get `drain` seconds."""
        self._closed = True
        self._running = False
        if self._retry is not None:
            self._retry.cancel()
        if self.serving is not None:
            self._retire(self.serving)
            self.serving = None
        self._changed()
        if self._worker is not None and not self._worker.done():
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        await asyncio.gather(*(host.stop(drain=drain) for host in self._retired))
        self._retired.clear()
