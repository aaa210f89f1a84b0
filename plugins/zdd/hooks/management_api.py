"""The HTTP management API of a Durable Functions app: list what is in flight, and terminate with verification.

The system key travels in a header, never in a URL: URLs end up in logs. No call names a task hub of its own accord,
since asking for one that does not exist creates it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from zdd.core.instances import LIVE_STATUSES, InstanceRow, RuntimeStatus
from zdd.exceptions import Unknown

PATH = "/runtime/webhooks/durabletask"
TOKEN_HEADER = "x-ms-continuation-token"
PAGE_SIZE = 1000
MAXIMUM_PAGES = 1000
TIMEOUT_SECONDS = 30.0
TERMINATE_TRIES = 6
VERIFY_PAUSE_SECONDS = 1.0
VERIFY_LOOKS = 5


@dataclass(frozen=True)
class TerminateReport:
    """What came of terminating: who ended, after how many tries, and who is still in flight."""

    ended: tuple[str, ...] = ()
    still_live: tuple[str, ...] = ()
    tries: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nobody is left."""
        return not self.still_live


class ManagementApi:
    """One app's management API; an async context manager.

    :param base_url: the app's root, for instance `https://orders-staging.azurewebsites.net`.
    :param system_key: the key `durabletask_extension`.
    :param hub: sent as `taskHub`, only for a hub that is known to exist in the same storage account as the app's own.
    """

    def __init__(
        self,
        base_url: str,
        system_key: str | None,
        *,
        hub: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        pause: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self._query = {"taskHub": hub} if hub else {}
        self._pause = pause
        headers = {"x-functions-key": system_key} if system_key else {}
        self._client = httpx.AsyncClient(
            base_url=base_url.rstrip("/") + PATH, headers=headers, timeout=TIMEOUT_SECONDS, transport=transport
        )
        self.requests = 0

    async def __aenter__(self) -> ManagementApi:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def live_instances(self) -> tuple[tuple[InstanceRow, ...], int]:
        """All live instances, entities included, and the number of pages read.

        An empty page with a token is not the end; the last page has an empty token.

        :raises Unknown: the list could not be read to its end.
        """
        query = {
            "runtimeStatus": ",".join(status.value for status in LIVE_STATUSES),
            "top": str(PAGE_SIZE),
            "showInput": "false",
        }
        rows: list[InstanceRow] = []
        token, seen = "", set[str]()
        for page in range(1, MAXIMUM_PAGES + 1):
            response = await self._request("GET", "/instances", query, {TOKEN_HEADER: token} if token else {})
            if response.status_code != 200:
                raise Unknown(f"the management API's list answered {_answer(response)}")
            # The filter is ignored in silence by some editions, so it is applied here once more.
            rows += [row for row in map(_row, _list(response)) if row.status.is_live]
            token = response.headers.get(TOKEN_HEADER, "")
            if not token:
                return tuple(rows), page
            if token in seen:
                raise Unknown("the management API's list goes round in circles: a token came twice")
            seen.add(token)
        raise Unknown(f"the management API's list has more than {MAXIMUM_PAGES} pages")

    async def instance(self, instance_id: str) -> InstanceRow | None:
        """One instance; None when there is none of this id.

        :raises Unknown: it could not be read.
        """
        response = await self._request("GET", f"/instances/{quote(instance_id, safe='')}", {"showInput": "false"})
        if response.status_code == 404:
            return None
        if response.status_code not in (200, 202):
            raise Unknown(f"the management API's status of {instance_id!r} answered {_answer(response)}")
        found = _json(response)
        return _row(found if isinstance(found, dict) else {})

    async def terminate(self, instance_ids: Iterable[str], reason: str) -> TerminateReport:
        """Terminate, look, and repeat: a terminate that meets continue-as-new is lost although it was accepted.

        :raises Unknown: the app did not answer. What was terminated before stays so.
        """
        waiting = list(dict.fromkeys(instance_ids))
        ended: list[str] = []
        tries = 0
        while waiting and tries < TERMINATE_TRIES:
            tries += 1
            for instance_id in waiting:
                await self._send_terminate(instance_id, reason)
            for _ in range(VERIFY_LOOKS):
                live = [instance_id for instance_id in waiting if await self._is_live(instance_id)]
                ended += [instance_id for instance_id in waiting if instance_id not in live]
                waiting = live
                if not waiting:
                    break
                await self._pause(VERIFY_PAUSE_SECONDS)
        return TerminateReport(tuple(ended), tuple(waiting), tries)

    async def _send_terminate(self, instance_id: str, reason: str) -> None:
        path = f"/instances/{quote(instance_id, safe='')}/terminate"
        response = await self._request("POST", path, {"reason": reason})
        # 404 and 410: gone or ended by itself meanwhile.
        if response.status_code not in (200, 202, 404, 410):
            raise Unknown(f"terminating {instance_id!r} answered {_answer(response)}")

    async def _is_live(self, instance_id: str) -> bool:
        row = await self.instance(instance_id)
        return row is not None and row.status.is_live

    async def _request(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str] | None = None
    ) -> httpx.Response:
        self.requests += 1
        try:
            return await self._client.request(method, path, params={**self._query, **query}, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unknown(f"the app's management API did not answer: {type(error).__name__}") from None


def _answer(response: httpx.Response) -> str:
    hint = {401: ": wrong system key", 403: ": wrong system key", 404: ": no durable functions there"}
    return f"HTTP {response.status_code}{hint.get(response.status_code, '')}"


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        raise Unknown(
            f"the management API answered HTTP {response.status_code} with something else than JSON"
        ) from None


def _list(response: httpx.Response) -> list[dict[str, Any]]:
    found = _json(response)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Unknown("the management API's list is not a list of instances")
    return found


def _row(item: dict[str, Any]) -> InstanceRow:
    return InstanceRow(
        instance_id=str(item.get("instanceId") or ""),
        status=RuntimeStatus.parse(item.get("runtimeStatus")),
        name=str(item.get("name") or ""),
        created=_time(item.get("createdTime")),
    )


def _time(text: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment and not moment.tzinfo else moment
