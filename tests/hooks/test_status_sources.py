"""The weaker sources of a verdict say what they cannot see, and are unknown when they do not answer."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.support.fake_durable_api import KEY, FakeDurableApi
from zdd.core.drain import DrainState, DrainVerdict
from zdd.core.drain_evidence import Source
from zdd.hooks.status_sources import HttpApiSource, StatusCheckSource


async def by_http(fake: FakeDurableApi, key: str = KEY) -> DrainVerdict:
    async with HttpApiSource("https://orders.example", "Orders", key, transport=fake.transport) as source:
        return await source.prove(None)


async def by_check(answer: httpx.Response, url: str = "https://orders.example/api/StatusCheck") -> DrainVerdict:
    async with StatusCheckSource(url, "key", transport=httpx.MockTransport(lambda _: answer)) as source:
        return await source.poll(None)


@pytest.mark.parametrize("status", ["Pending", "Running", "Suspended", "ContinuedAsNew"])
async def test_a_live_instance_in_the_list_makes_the_hub_busy(status: str) -> None:
    verdict = await by_http(FakeDurableApi({"order-1": status}))
    assert verdict.state is DrainState.BUSY
    assert "order-1" in verdict.reason


async def test_a_list_of_entities_alone_has_drained_and_says_what_it_cannot_see() -> None:
    verdict = await by_http(FakeDurableApi({"@counter@a": "Running", "done": "Completed"}))
    assert verdict.state is DrainState.DRAINED
    assert verdict.evidence.source is Source.HTTP_API
    assert verdict.evidence.entity_ids == ("@counter@a",)
    assert any("queues" in blind_spot for blind_spot in verdict.evidence.cannot_see)


async def test_a_list_that_cannot_be_read_is_unknown() -> None:
    assert (await by_http(FakeDurableApi(answers=500))).state is DrainState.UNKNOWN
    assert (await by_http(FakeDurableApi(), key="wrong")).state is DrainState.UNKNOWN


async def test_a_poll_asks_for_one_remembered_instance() -> None:
    fake = FakeDurableApi({"order-1": "Running", "order-2": "Running"})
    async with HttpApiSource("https://orders.example", "Orders", KEY, transport=fake.transport) as source:
        first = await source.poll(None)
        second = await source.poll(first.memory)
        assert second.state is DrainState.BUSY
        assert len(fake.requests) == 2
        fake.statuses = {"order-1": "Completed", "order-2": "Completed"}
        assert (await source.poll(second.memory)).state is DrainState.DRAINED


@pytest.mark.parametrize(("running", "state"), [(True, DrainState.BUSY), (False, DrainState.DRAINED)])
async def test_the_status_check_is_believed_with_its_blind_spots_told(running: bool, state: DrainState) -> None:
    verdict = await by_check(httpx.Response(200, json={"HasRunning": running}))
    assert verdict.state is state
    assert "suspended instances" in verdict.evidence.cannot_see


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(401),
        httpx.Response(202, json={"HasRunning": False}),
        httpx.Response(200, text="false"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"hasRunning": False}),
        httpx.Response(200, json={"HasRunning": "false"}),
    ],
)
async def test_any_other_answer_of_the_status_check_is_unknown(answer: httpx.Response) -> None:
    assert (await by_check(answer)).state is DrainState.UNKNOWN


async def test_a_key_in_the_url_is_sent_as_a_header_and_told_nobody() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"HasRunning": True})

    url = "https://orders.example/api/StatusCheck?code=the-secret&hub=a"
    async with StatusCheckSource(url, None, transport=httpx.MockTransport(answer)) as source:
        verdict = await source.prove(None)
    assert str(seen[0].url) == "https://orders.example/api/StatusCheck?hub=a"
    assert seen[0].headers["x-functions-key"] == "the-secret"
    assert "the-secret" not in json.dumps(verdict.to_json())
