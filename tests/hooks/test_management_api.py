"""Terminate verifies and repeats; lists are read to their end."""

from __future__ import annotations

import pytest

from tests.support.fake_durable_api import KEY, FakeDurableApi
from zdd.exceptions import Unknown
from zdd.hooks.management_api import TERMINATE_TRIES, ManagementApi

URL = "https://orders.example"


async def at_once(seconds: float) -> None:
    """No pause."""


def api(fake: FakeDurableApi, key: str = KEY) -> ManagementApi:
    return ManagementApi(URL, key, transport=fake.transport, pause=at_once)


async def test_a_terminated_instance_is_verified() -> None:
    fake = FakeDurableApi({"a": "Running", "b": "Suspended"})
    async with api(fake) as client:
        report = await client.terminate(["a", "b"], "release")
    assert report.ended == ("a", "b")
    assert report.is_complete
    assert report.tries == 1


async def test_a_terminate_that_was_lost_is_repeated() -> None:
    fake = FakeDurableApi({"eternal": "Running"}, lost_terminates=3)
    async with api(fake) as client:
        report = await client.terminate(["eternal"], "release")
    assert report.ended == ("eternal",)
    assert report.tries == 4


async def test_an_instance_that_cannot_be_ended_is_reported() -> None:
    fake = FakeDurableApi({"stubborn": "Running"}, lost_terminates=1000)
    async with api(fake) as client:
        report = await client.terminate(["stubborn"], "release")
    assert report.still_live == ("stubborn",)
    assert report.tries == TERMINATE_TRIES


async def test_an_instance_that_is_gone_or_ended_by_itself_counts_as_ended() -> None:
    fake = FakeDurableApi({"done": "Completed"})
    async with api(fake) as client:
        report = await client.terminate(["done", "purged"], "release")
    assert report.is_complete


async def test_an_odd_id_reaches_its_instance() -> None:
    fake = FakeDurableApi({"50%? of a/b": "Running"})
    async with api(fake) as client:
        assert (await client.terminate(["50%? of a/b"], "release")).is_complete


async def test_every_page_is_read_although_the_first_is_empty() -> None:
    fake = FakeDurableApi({f"order-{n}": "Running" for n in range(250)}, empty_first_page=True)
    async with api(fake) as client:
        rows, pages = await client.live_instances()
    assert len(rows) == 250
    assert pages == 4


async def test_a_list_that_ignored_the_filter_is_filtered_again() -> None:
    fake = FakeDurableApi({"done": "Completed", "odd": "Sleepwalking"}, ignores_filter=True)
    async with api(fake) as client:
        rows, _ = await client.live_instances()
    assert [row.instance_id for row in rows] == ["odd"]


async def test_the_key_is_sent_in_a_header_and_no_hub_is_named() -> None:
    fake = FakeDurableApi({"a": "Running"})
    async with api(fake) as client:
        await client.live_instances()
        await client.terminate(["a"], "release")
    assert not any(KEY in str(request.url) or "taskHub" in str(request.url) for request in fake.requests)


@pytest.mark.parametrize("status", [403, 404, 500, 503])
async def test_an_answer_that_is_no_list_is_unknown(status: int) -> None:
    async with api(FakeDurableApi({"a": "Running"}, answers=status)) as client:
        with pytest.raises(Unknown, match=str(status)):
            await client.live_instances()


async def test_a_wrong_key_is_unknown() -> None:
    async with api(FakeDurableApi(), key="wrong") as client:
        with pytest.raises(Unknown, match="wrong system key"):
            await client.live_instances()
