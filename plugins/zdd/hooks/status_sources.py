"""Weaker sources of a drain verdict, for where there is no access to the storage: they say what they cannot see."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx

from zdd.core import drain
from zdd.core.drain import DrainState, DrainVerdict
from zdd.core.drain_evidence import DrainEvidence, Source, count_rows, oldest
from zdd.core.drain_memory import DrainMemory
from zdd.exceptions import Unknown
from zdd.hooks.management_api import TIMEOUT_SECONDS, ManagementApi

HTTP_API_CANNOT_SEE = (
    "starts that were accepted and have no row yet",
    "messages that wait in queues, for activities and entities too",
    "of which hub an instance is, on a shared tracking store",
)
STATUS_CHECK_CANNOT_SEE = (
    "suspended instances",
    "starts that were accepted and have no row yet",
    "messages that wait in queues, for activities and entities too",
    "who is in flight; and it reports entities as running for ever",
)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class HttpApiSource:
    """The Durable HTTP API's list of live instances.

    :param hub: the name of the hub, for evidence; the app answers for the hub that it is bound to.
    """

    def __init__(
        self,
        base_url: str,
        hub: str,
        system_key: str | None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._hub = f"hub={hub.lower()} source={Source.HTTP_API.value}"
        self._api = ManagementApi(base_url, system_key, transport=transport)
        self._clock = clock

    async def __aenter__(self) -> HttpApiSource:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._api.__aexit__(exc_type, exc, traceback)

    async def poll(self, memory: DrainMemory | None) -> DrainVerdict:
        """A remembered instance that is still in flight is answer enough, else the whole list."""
        if memory is not None and drain.may_ask_witness(memory, hub=self._hub):
            try:
                row = await self._api.instance(memory.witnesses[0])
            except Unknown as error:
                return _with_source(drain.unknown(str(error), memory, hub=self._hub), Source.HTTP_API)
            if row and row.status.is_live:
                return _with_source(drain.witness_alive(row, memory), Source.HTTP_API)
        return await self.prove(memory)

    async def prove(self, memory: DrainMemory | None) -> DrainVerdict:
        """Read the whole list of live instances. Never raises for the outside world."""
        started, requests = time.monotonic(), self._api.requests
        try:
            rows, pages = await self._api.live_instances()
        except Unknown as error:
            return _with_source(drain.unknown(str(error), memory, hub=self._hub), Source.HTTP_API)
        now = self._clock()
        live = tuple(row for row in rows if not row.is_entity)
        entities = tuple(row.instance_id for row in rows if row.is_entity)
        counts = count_rows(live)
        evidence = DrainEvidence(
            hub=self._hub,
            source=Source.HTTP_API,
            complete=True,
            by_status=counts["by_status"],
            by_function=counts["by_function"],
            blockers=oldest(live, now),
            entities=len(entities),
            entity_ids=entities[:5],
            pages=pages,
            read_at=now,
            duration_seconds=time.monotonic() - started,
            requests=self._api.requests - requests,
            cannot_see=HTTP_API_CANNOT_SEE,
        )
        after = DrainMemory(
            hub=self._hub, last_poll=now, witnesses=tuple(row.instance_id for row in live[: drain.WITNESSES])
        )
        if live:
            reason = f"{len(live)} in flight by the HTTP API, the oldest is {evidence.blockers[0]}"
            return DrainVerdict(DrainState.BUSY, reason, evidence, after)
        reason = "no instance in flight by the HTTP API, which cannot see starts and messages that wait in queues"
        return DrainVerdict(DrainState.DRAINED, reason, evidence, after)


class StatusCheckSource:
    """The app's own StatusCheck function: `{"HasRunning": bool}`.

    :param url: the function's whole URL. A key in it (`code=`) is sent as a header instead: URLs end up in logs.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        url, key_in_url = _split_key(url)
        key = key or key_in_url
        self._hub = f"status check {url.partition('?')[0]}"
        self._url = url
        self._client = httpx.AsyncClient(
            headers={"x-functions-key": key} if key else {}, timeout=TIMEOUT_SECONDS, transport=transport
        )
        self._clock = clock

    async def __aenter__(self) -> StatusCheckSource:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def poll(self, memory: DrainMemory | None) -> DrainVerdict:
        """The same as `prove`: the function tells no instance to remember."""
        return await self.prove(memory)

    async def prove(self, memory: DrainMemory | None) -> DrainVerdict:
        """Call the function. Never raises for the outside world."""
        started = time.monotonic()
        try:
            has_running = await self._has_running()
        except Unknown as error:
            return _with_source(drain.unknown(str(error), memory, hub=self._hub), Source.STATUS_CHECK)
        now = self._clock()
        evidence = DrainEvidence(
            hub=self._hub,
            source=Source.STATUS_CHECK,
            complete=True,
            read_at=now,
            duration_seconds=time.monotonic() - started,
            requests=1,
            cannot_see=STATUS_CHECK_CANNOT_SEE,
        )
        after = DrainMemory(hub=self._hub, last_poll=now)
        if has_running:
            reason = "the app's StatusCheck function says that instances are running; it does not say which"
            return DrainVerdict(DrainState.BUSY, reason, evidence, after)
        reason = "the app's StatusCheck function says that none is running; it cannot see suspended or queued ones"
        return DrainVerdict(DrainState.DRAINED, reason, evidence, after)

    async def _has_running(self) -> bool:
        try:
            response = await self._client.get(self._url)
            answer = response.json() if response.status_code == 200 else None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unknown(f"the StatusCheck function did not answer: {type(error).__name__}") from None
        except ValueError:
            raise Unknown("the StatusCheck function answered something else than JSON") from None
        if response.status_code != 200:
            raise Unknown(f"the StatusCheck function answered HTTP {response.status_code}")
        found = answer.get("HasRunning") if isinstance(answer, dict) else None
        if not isinstance(found, bool):
            raise Unknown('the StatusCheck function answered without "HasRunning": true or false')
        return found


def _split_key(url: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    key = next((value for name, value in query if name.lower() == "code"), None)
    rest = urlencode([(name, value) for name, value in query if name.lower() != "code"])
    return urlunsplit(parts._replace(query=rest)), key


def _with_source(verdict: DrainVerdict, source: Source) -> DrainVerdict:
    return replace(verdict, evidence=replace(verdict.evidence, source=source))
