"""Where the user's code runs: an event loop and a pool of threads of its own, apart from the host's.

A function that blocks then stalls other functions, as in the real worker process, and never the host's leases,
queues and HTTP answers.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def _pool_size() -> int:
    wanted = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    return min(int(wanted), 32) if wanted.isdigit() and int(wanted) else min(32, (os.cpu_count() or 1) + 4)


class UserCode:
    """Runs callables of the app; use it from the host's event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_pool_size(), thread_name_prefix="function")
        # Replays are pure and short; a pool of their own keeps them moving while activities fill the other one.
        self._replays = ThreadPoolExecutor(2, thread_name_prefix="orchestrator")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="user-code", daemon=True)
        self._thread.start()

    async def call(self, function: Callable[..., Any], arguments: dict[str, Any]) -> Any:
        """Call a user function: coroutines on the user's loop, the others in the pool."""
        if inspect.iscoroutinefunction(function):
            return await self.run(function(**arguments))
        result = await asyncio.get_running_loop().run_in_executor(self._pool, lambda: function(**arguments))
        return await self.run(result) if inspect.iscoroutine(result) else result

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the user's loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def replay(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run an orchestrator's or entity's turn."""
        return await asyncio.get_running_loop().run_in_executor(self._replays, function, *arguments)

    def close(self) -> None:
        """Give up whatever still runs; the process is about to end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._replays.shutdown(wait=False, cancel_futures=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
