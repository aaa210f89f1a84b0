"""Asking whether the code in a slot has drained: binding, status source and verdict in one place.

Sensor, trigger and the operators that act ask through this class, so all of them watch the same hub the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from zdd import settings
from zdd.core.drain import DrainState
from zdd.core.drain_memory import DrainMemory
from zdd.core.gate import Watch
from zdd.core.host_json import TaskHubBinding
from zdd.exceptions import BadInput, ZddError
from zdd.hooks.azure import AzureHook
from zdd.hooks.slot_reader import DURABLE_KEY, SlotName, SlotReader

TABLES, HTTP_API, STATUS_CHECK = "tables", "http_api", "status_check"
STATUS_SOURCES = (TABLES, HTTP_API, STATUS_CHECK)
EMPTY_SLOT = "nothing is deployed"


def utcnow() -> datetime:
    """This worker's clock: only spans of it are used, never against the storage's."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Observed:
    """One look at a slot's hub: the verdict, whether a gate may count it as zero, and what the next look is given."""

    state: DrainState
    zero: bool
    reason: str
    began: datetime
    binding: str
    watch: Watch
    evidence: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


class SlotDrain:
    """Watches the hub of one slot. An async context manager; changes nothing, never raises for the outside world.

    :param accept_never_started: count a hub of which nothing exists as zero even where durable functions are deployed.
    """

    def __init__(
        self,
        hook: AzureHook,
        name: SlotName,
        *,
        status_source: str = TABLES,
        accept_never_started: bool = False,
        clock: Callable[[], datetime] = utcnow,
    ) -> None:
        self.hook = hook
        self.name = name
        self.status_source = status_source
        self.accept_never_started = accept_never_started
        self._clock = clock
        self._open = AsyncExitStack()
        self._source_open = AsyncExitStack()
        self._reader: SlotReader | None = None
        self._source: Any = None
        self._binding: TaskHubBinding | None = None
        self._warnings: tuple[str, ...] = ()
        self._bound_at: datetime | None = None

    async def __aenter__(self) -> SlotDrain:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._source_open.aclose()
        await self._open.aclose()

    async def prove(self, watch: Watch) -> Observed:
        """A complete proof; the binding is read again first."""
        self._bound_at = None
        return await self._look(watch, complete=True)

    async def poll(self, watch: Watch) -> Observed:
        """A cheap look while the hub is busy; the binding is read again when it is ten minutes old."""
        return await self._look(watch, complete=False)

    async def _look(self, watch: Watch, *, complete: bool) -> Observed:
        began = self._clock()
        try:
            if await self._bind(began) is None:
                return await self._nothing_deployed(watch, began)
        except ZddError as error:
            return self._unknown(watch, began, str(error))
        assert self._binding is not None
        fingerprint = self._binding.fingerprint()
        watch = watch.for_binding(fingerprint)
        memory = DrainMemory.from_json(watch.memory)
        verdict = await (self._source.prove(memory) if complete else self._source.poll(memory))
        zero = verdict.state is DrainState.DRAINED
        reason = verdict.reason
        if verdict.state is DrainState.NEVER_STARTED:
            zero, reason = await self._judge_never_started(reason)
        answer = verdict.to_json()
        memory_json = answer.pop("memory", None)
        return Observed(
            verdict.state,
            zero,
            reason,
            began,
            fingerprint,
            watch.observe(zero=zero, began=began, memory=memory_json),
            answer.get("evidence") or {},
            self._warnings,
        )

    async def _judge_never_started(self, reason: str) -> tuple[bool, str]:
        if self.accept_never_started:
            return True, f"{reason}; taken as drained by the parameter never_started"
        assert self._reader is not None
        try:
            durable = await self._reader.has_durable_functions()
        except ZddError as error:
            return False, f"{reason}; whether the slot holds durable functions is not known: {error}"
        if durable:
            return False, f"{reason}, though durable functions are deployed: set never_started to accept if that is so"
        return True, f"{reason}, and the slot holds no durable functions"

    async def _bind(self, now: datetime) -> TaskHubBinding | None:
        """Read the binding when it is due; a source for another hub is opened when it has changed."""
        if self._bound_at is not None and now - self._bound_at < settings.BINDING_MAX_AGE:
            return self._binding
        if self._reader is None:
            await self.hook.load()
            self._reader = SlotReader(await self._open.enter_async_context(self.hook.reader()), self.name)
        bound = await self._reader.binding()
        if bound is None:
            self._binding, self._warnings, self._source = None, (), None
            return None
        if self._source is None or bound.binding != self._binding:
            await self._source_open.aclose()
            self._source = await self._open_source(bound.binding)
        self._binding, self._warnings, self._bound_at = bound.binding, bound.warnings, now
        return self._binding

    async def _open_source(self, binding: TaskHubBinding) -> Any:
        assert self._reader is not None
        self._source_open = AsyncExitStack()
        if self.status_source == TABLES:
            from zdd.core.host_json import StorageKind
            from zdd.hooks.task_hub import TaskHubReader

            stores = [store for store in (binding.storage, binding.tracking_storage) if store]
            credential = None
            if any(store.kind is StorageKind.IDENTITY for store in stores):
                credential = self.hook.account.async_credential()
                self._source_open.push_async_callback(credential.close)
            return await self._source_open.enter_async_context(TaskHubReader(binding, credential=credential))
        from zdd.hooks.status_sources import HttpApiSource, StatusCheckSource

        site = await self._reader.site()
        base = f"{self.hook.account.scheme}://{site.get('defaultHostName')}"
        source: Any
        if self.status_source == HTTP_API:
            key = await self._reader.key("systemKeys", DURABLE_KEY)
            source = HttpApiSource(base, binding.hub_name, key)
        elif self.status_source == STATUS_CHECK:
            key = await self._reader.key("functionKeys", "default")
            source = StatusCheckSource(f"{base}/api/StatusCheck", key)
        else:
            raise BadInput(
                "Unknown status source", expected=" | ".join(STATUS_SOURCES), found=self.status_source, do="choose one"
            )
        if hasattr(source, "__aenter__"):
            return await self._source_open.enter_async_context(source)
        return source

    async def _nothing_deployed(self, watch: Watch, began: datetime) -> Observed:
        watch = watch.for_binding(EMPTY_SLOT).observe(zero=True, began=began, memory=None)
        reason = f"{self.name.label} is empty: no host.json and no function is deployed there"
        return Observed(DrainState.NEVER_STARTED, True, reason, began, EMPTY_SLOT, watch, {"hub": None})

    def _unknown(self, watch: Watch, began: datetime, reason: str) -> Observed:
        # The hub is kept in the watch, its zeros are not: unknown is never zero.
        kept = watch.observe(zero=False, began=began, memory=watch.memory)
        return Observed(DrainState.UNKNOWN, False, reason, began, watch.binding or "not known", kept, {})
