"""The store's time is told by its answers, and its errors become sentences without secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceRequestError

from zdd.exceptions import Unknown
from zdd.hooks.storage_clients import Answers, PartMissing, StoreClock, reading

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def answer(date: str | None) -> SimpleNamespace:
    return SimpleNamespace(http_response=SimpleNamespace(headers={"Date": date} if date else {}))


def test_the_first_and_the_last_date_of_a_reading_are_kept() -> None:
    answers = Answers()
    for date in ("Sun, 01 Mar 2026 12:00:01 GMT", None, "Sun, 01 Mar 2026 12:00:00 GMT"):
        answers.note(answer(date))
    assert (answers.first, answers.last) == (NOON, NOON + timedelta(seconds=1))
    assert answers.count == 3


def test_a_date_stands_for_a_whole_second() -> None:
    clock = StoreClock()
    assert clock.earliest(NOON) == NOON
    assert clock.latest(NOON) == NOON + timedelta(seconds=1)


async def test_what_does_not_exist_is_a_missing_part() -> None:
    with pytest.raises(PartMissing, match="table T does not exist"):
        async with reading("table T"):
            raise ResourceNotFoundError("signature=secret")


async def test_an_http_error_tells_its_status_and_not_its_text() -> None:
    error = HttpResponseError("the signature c2VjcmV0 does not match")
    error.status_code = 403
    with pytest.raises(Unknown, match="HTTP 403") as raised:
        async with reading("table T"):
            raise error
    assert "c2VjcmV0" not in str(raised.value)


@pytest.mark.parametrize("error", [ServiceRequestError("no such host"), ConnectionResetError(), TimeoutError()])
async def test_a_storage_that_does_not_answer_is_unknown(error: Exception) -> None:
    with pytest.raises(Unknown, match="did not answer"):
        async with reading("table T"):
            raise error
