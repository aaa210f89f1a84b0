"""The demo's customers: what they count, against an orders app made of one function."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable

import httpx
import pytest

from demo import traffic as module
from demo.traffic import Front, Kind, Traffic

FRONT = Front("http://orders.test", "key")


class FakeApp:
    """Starts orders, lets them wait for approval, completes them on approval."""

    def __init__(self) -> None:
        self.statuses: dict[str, str] = {}
        self.refuse: Callable[[httpx.Request], httpx.Response | None] = lambda request: None

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if (refusal := self.refuse(request)) is not None:
            return refusal
        if request.url.path == "/api/orders":
            number = json.loads(request.content)["order"]
            self.statuses[number] = "Running"
            base = f"http://orders.test/instances/{number}"
            urls = {
                "id": number,
                "statusQueryGetUri": f"{base}?taskHub=Blue&code=k",
                "sendEventPostUri": f"{base}/raiseEvent/{{eventName}}?taskHub=Blue&code=k",
            }
            return httpx.Response(202, json=urls, headers={"X-Orders-Edition": "1.0.0"})
        number = request.url.path.split("/")[2]
        if request.url.path.endswith("/raiseEvent/Approval"):
            self.statuses[number] = "Completed"
            return httpx.Response(202)
        body = {"runtimeStatus": self.statuses[number], "customStatus": {"step": "waits for approval"}}
        return httpx.Response(200 if self.statuses[number] == "Completed" else 202, json=body)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> FakeApp:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    return FakeApp()


def traffic_to(app: FakeApp) -> Traffic:
    return Traffic(random.Random(1), transport=httpx.MockTransport(app))


async def test_a_customer_starts_polls_and_approves_until_the_order_is_over(app: FakeApp) -> None:
    async with traffic_to(app) as traffic:
        for _ in range(3):
            traffic.place(FRONT, "wave", think_seconds=(0, 0))
        assert await traffic.until_all_are_over(5)
    assert traffic.ledger.counts[Kind.START] == 3
    assert traffic.ledger.counts[Kind.APPROVAL] == 3
    assert traffic.ledger.counts[Kind.POLL] >= 6
    assert traffic.ledger.failures == []


async def test_a_held_order_is_not_approved_before_it_is_let_go(app: FakeApp) -> None:
    hold = asyncio.Event()
    async with traffic_to(app) as traffic:
        traffic.place(FRONT, "staging", hold=hold, think_seconds=(0, 0))
        await asyncio.sleep(0.2)
        assert traffic.in_flight("staging") == 1
        hold.set()
        assert await traffic.until_all_are_over(5)


@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
async def test_each_refusal_counts_as_failed_and_is_not_tried_again(app: FakeApp, status: int) -> None:
    app.refuse = lambda request: httpx.Response(status, text="no")
    async with traffic_to(app) as traffic:
        traffic.place(FRONT, "wave")
        await asyncio.sleep(0.1)
    assert traffic.ledger.counts[Kind.START] == 1
    assert [failure.kind for failure in traffic.ledger.failures] == [Kind.START]


async def test_a_time_out_counts_as_failed_and_the_key_is_not_shown(app: FakeApp) -> None:
    def time_out(request: httpx.Request) -> None:
        if request.method == "GET":
            raise httpx.ReadTimeout("too slow", request=request)

    app.refuse = time_out
    async with traffic_to(app) as traffic:
        traffic.place(FRONT, "wave")
        await asyncio.sleep(0.1)
    assert traffic.ledger.failures[0].kind is Kind.POLL
    assert "ReadTimeout" in traffic.ledger.failures[0].what
    assert "code=" not in traffic.ledger.failures[0].what
