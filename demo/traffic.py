"""The customers and approvers of the orders app: HTTP clients that never retry and count every request.

A request is the start of an order, a poll of its status, or an approval. Each that answers 4xx or 5xx, or does not
answer, is a failed request. What became of the orders themselves is not judged here but from storage (`demo.audit`).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from demo.orders import is_answered, is_approved, make_order

# A client that a person would write: it gives up after a while, and does not try again.
TIMEOUT = httpx.Timeout(30, connect=5)
TERMINAL = {"Completed", "Failed", "Terminated", "Canceled"}
WAITS_FOR_APPROVAL = "waits for approval"
POLL_SECONDS = 1.0
STEADY_SECONDS = 0.25


class Kind(StrEnum):
    """What a request was for."""

    START = "start"
    POLL = "poll"
    APPROVAL = "approval"


@dataclass(frozen=True)
class Failure:
    """A request that failed."""

    kind: Kind
    at: datetime
    what: str


@dataclass
class Ledger:
    """Every request that was made."""

    counts: Counter[Kind] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    slowest_seconds: float = 0.0

    @property
    def total(self) -> int:
        """Number of requests."""
        return self.counts.total()


@dataclass(frozen=True)
class Front:
    """Where customers of one slot come in: its address and the function key of its start function."""

    url: str
    key: str = field(repr=False)


@dataclass
class Placed:
    """One order as the customer knows it."""

    instance_id: str
    hub: str
    edition: str
    group: str
    started_at: datetime
    order: dict[str, Any] = field(repr=False)
    status_url: str = field(repr=False)
    event_url: str = field(repr=False)
    status: str = "Pending"

    @property
    def is_over(self) -> bool:
        """Whether the app has told its customer that the order has ended."""
        return self.status in TERMINAL


class Traffic:
    """All clients of one demo. An asynchronous context manager: leaving it ends every client."""

    def __init__(
        self,
        rng: random.Random,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.ledger = Ledger()
        self.placed: list[Placed] = []
        self._rng = rng
        self._clock = clock
        self._number = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._customers: set[asyncio.Task[None]] = set()
        self._crashes: list[BaseException] = []
        limits = httpx.Limits(max_keepalive_connections=20)
        self._client = httpx.AsyncClient(timeout=TIMEOUT, limits=limits, transport=transport)

    async def __aenter__(self) -> Traffic:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    # --- orders ----------------------------------------------------------------------------------------------------

    def place(
        self,
        front: Front,
        group: str,
        *,
        hold: asyncio.Event | None = None,
        think_seconds: tuple[float, float] = (1, 3),
    ) -> None:
        """Let one customer place an order and follow it to its end.

        The approver answers `think_seconds` after the order waits for it, or after `hold` is set when that is later.
        """
        self._number += 1
        # Every fifth order is approved only after its reminder, every ninth is never answered.
        unanswered = self._number % 9 == 0 and hold is None
        remind = self._number % 5 == 0 and not unanswered and hold is None
        order = make_order(f"O-{self._number:04d}", self._rng, remind=remind, unanswered=unanswered)
        think = 5.0 if remind else self._rng.uniform(*think_seconds)
        customer = self._spawn(self._live_through(front, group, order, hold, think))
        self._customers.add(customer)
        customer.add_done_callback(self._customers.discard)

    async def wave(self, front: Front, group: str, size: int, over_seconds: float) -> None:
        """Place `size` orders spread over some seconds."""
        for _ in range(size):
            self.place(front, group)
            await asyncio.sleep(over_seconds / size)

    def start_waves(
        self, front: Front, *, size: int, over_seconds: float, period_seconds: float, gap_seconds: float
    ) -> asyncio.Task[None]:
        """Place waves of orders until the returned task is cancelled.

        A wave comes every `period_seconds`, but not before the last order of the one before has been over for
        `gap_seconds`: idle moments are the condition of the strategy, on a slow machine, too.
        """

        async def waves() -> None:
            number = 0
            while True:
                number += 1
                begun = time.monotonic()
                await self.wave(front, f"wave {number}", size, over_seconds)
                quiet_since = time.monotonic()
                while min(time.monotonic() - begun - period_seconds, time.monotonic() - quiet_since - gap_seconds) < 0:
                    await asyncio.sleep(0.25)
                    if self.in_flight(f"wave {number}"):
                        quiet_since = time.monotonic()

        return self._spawn(waves())

    def start_steady_polls(self) -> asyncio.Task[None]:
        """Poll one known order after the other, finished ones too, until the returned task is cancelled.

        Orders that were started through the staging slot are left to their own customers: its address is not one that
        the public knows.
        """

        async def polls() -> None:
            while True:
                public = [placed for placed in self.placed if placed.group != "staging"]
                if public:
                    self._spawn(self._poll_once(self._rng.choice(public)))
                await asyncio.sleep(STEADY_SECONDS)

        return self._spawn(polls())

    async def until_all_are_over(self, timeout_seconds: float) -> bool:
        """Wait until every customer has gone; say whether each has seen the end of its order in that time."""
        if self._customers:
            await asyncio.wait(set(self._customers), timeout=timeout_seconds)
        self.check()
        return not self._customers and all(placed.is_over for placed in self.placed)

    def check(self) -> None:
        """Raise what a client crashed on: a bug of the demo, which must not pass for a quiet client."""
        if self._crashes:
            raise RuntimeError("a client of the demo crashed") from self._crashes[0]

    def in_flight(self, group: str) -> int:
        """How many orders of a group their customers still wait for."""
        return sum(1 for placed in self.placed if placed.group == group and not placed.is_over)

    # --- one customer ----------------------------------------------------------------------------------------------

    async def _live_through(
        self, front: Front, group: str, order: dict[str, Any], hold: asyncio.Event | None, think: float
    ) -> None:
        placed = await self._start(front, group, order)
        if placed is None:
            return
        approve_at: float | None = None
        approved = not is_answered(order)
        misses = 0
        while not placed.is_over:
            await asyncio.sleep(POLL_SECONDS if hold is None or hold.is_set() else 2 * POLL_SECONDS)
            body = await self._poll_once(placed)
            if body is None:
                misses += 1
                if misses >= 10:  # counted as failed each time; storage tells what became of the order
                    return
                continue
            waits = (body.get("customStatus") or {}).get("step") == WAITS_FOR_APPROVAL
            if waits and not approved and (hold is None or hold.is_set()):
                now = time.monotonic()
                approve_at = approve_at or now + think
                if now >= approve_at:
                    approved = await self._approve(placed)

    async def _start(self, front: Front, group: str, order: dict[str, Any]) -> Placed | None:
        began = self._clock()
        response = await self._request(
            Kind.START, "POST", f"{front.url}/api/orders", json=order, headers={"x-functions-key": front.key}
        )
        if response is None:
            return None
        urls = response.json()
        placed = Placed(
            instance_id=urls["id"],
            hub=parse_qs(urlsplit(urls["statusQueryGetUri"]).query)["taskHub"][0],
            edition=response.headers.get("X-Orders-Edition", "?"),
            group=group,
            started_at=began,
            order=order,
            status_url=urls["statusQueryGetUri"],
            event_url=urls["sendEventPostUri"].replace("{eventName}", "Approval"),
        )
        self.placed.append(placed)
        return placed

    async def _poll_once(self, placed: Placed) -> dict[str, Any] | None:
        response = await self._request(Kind.POLL, "GET", placed.status_url)
        if response is None:
            return None
        body: dict[str, Any] = response.json()
        if not placed.is_over:
            placed.status = body["runtimeStatus"]
        return body

    async def _approve(self, placed: Placed) -> bool:
        answer = {"approved": is_approved(placed.order)}
        return await self._request(Kind.APPROVAL, "POST", placed.event_url, json=answer) is not None

    async def _request(self, kind: Kind, method: str, url: str, **options: Any) -> httpx.Response | None:
        began = time.monotonic()
        self.ledger.counts[kind] += 1
        place = urlsplit(url)
        what = f"{method} {place.netloc}{place.path}"  # without the query: it carries the key
        try:
            response = await self._client.request(method, url, **options)
        except httpx.HTTPError as problem:
            self._fail(kind, f"{what}: {type(problem).__name__} {problem}")
            return None
        self.ledger.slowest_seconds = max(self.ledger.slowest_seconds, time.monotonic() - began)
        if response.is_error:
            self._fail(kind, f"{what}: {response.status_code} {response.text[:200]}")
            return None
        return response

    def _fail(self, kind: Kind, what: str) -> None:
        self.ledger.failures.append(Failure(kind, self._clock(), what))

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._crashes.append(problem)
