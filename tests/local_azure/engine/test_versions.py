"""The table of match and failure strategies, as the real engine gave it; and messages that are put back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local_azure.engine.history import EventKind, make
from local_azure.engine.history_store import StoredHistory
from local_azure.engine.inbox import sort
from local_azure.engine.instances import Status
from local_azure.engine.messages import Message
from local_azure.engine.queues import Taken
from local_azure.engine.service import TaskHub
from local_azure.engine.settings import HubSettings, VersionFailure, VersionMatch
from local_azure.engine.times import utcnow
from local_azure.engine.versions import VersionDecision, compare, decide

from .conftest import wait_for
from .fake_code import FakeCode
from .memory_hub import SETTINGS
from .test_orchestrations import chain, hello

TAKE, REJECT, FAIL = VersionDecision.TAKE, VersionDecision.REJECT, VersionDecision.FAIL


@pytest.mark.parametrize(
    ("match", "failure", "decisions"),
    [
        (VersionMatch.STRICT, VersionFailure.REJECT, (TAKE, REJECT, REJECT, REJECT)),
        (VersionMatch.STRICT, VersionFailure.FAIL, (TAKE, FAIL, FAIL, FAIL)),
        (VersionMatch.CURRENT_OR_OLDER, VersionFailure.REJECT, (TAKE, TAKE, REJECT, TAKE)),
        (VersionMatch.CURRENT_OR_OLDER, VersionFailure.FAIL, (TAKE, TAKE, FAIL, TAKE)),
        (VersionMatch.NONE, VersionFailure.REJECT, (TAKE, TAKE, TAKE, TAKE)),
    ],
)
def test_a_worker_at_2_0_treats_each_version_as_recorded(
    match: VersionMatch, failure: VersionFailure, decisions: tuple[VersionDecision, ...]
) -> None:
    worker = replace(SETTINGS, default_version="2.0", version_match=match, version_failure=failure)
    assert tuple(decide(worker, version) for version in ("2.0", "1.0", "3.0", None)) == decisions


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("1.0", "1.0", 0),
        ("1.9", "1.10", -1),
        ("2.0", "1.10", 1),
        (None, "1.0", -1),
        ("b", "a", 1),
        ("1.0", "1.0.0", -1),
    ],
)
def test_versions_compare_as_in_the_engine(left: str | None, right: str | None, order: int) -> None:
    assert compare(left, right) == order


def test_a_running_newer_instance_takes_not_even_a_terminate_under_an_older_worker() -> None:
    worker = replace(SETTINGS, default_version="1.0")
    started = make(
        EventKind.ExecutionStarted,
        Name="X",
        Version="2.0",
        OrchestrationInstance={"InstanceId": "i", "ExecutionId": "e"},
    )
    message = Message(make(EventKind.ExecutionTerminated, Input="x"), "i", None)
    taken = Taken("q", "id", "receipt", 3, utcnow(), message)
    sorted_ = sort("i", [taken], StoredHistory("e", [started], "etag", utcnow()), worker)
    assert (sorted_.give_back, sorted_.deliver, sorted_.discard) == ([taken], [], [])


async def test_a_rejected_start_stays_pending_until_a_worker_accepts_it(settings: HubSettings) -> None:
    from local_azure.engine.service import Worker

    newer, older = replace(settings, default_version="2.0"), replace(settings, default_version="1.0")
    code = FakeCode({"Chain": chain}, {"SayHello": hello})
    async with TaskHub(newer) as hub:
        worker = Worker(older, code)
        await worker.start()
        await hub.start("Chain", instance_id="new")
        await hub.start("Chain", instance_id="old", version="1.0")
        await wait_for(hub, "old")
        pending = await hub.get("new")
        assert await hub.history("new") == []
        await worker.stop()
        worker = Worker(newer, code)
        await worker.start()
        state = await wait_for(hub, "new")
        await worker.stop()
    assert pending is not None
    assert pending.status is Status.PENDING
    assert (state.status, state.version) == (Status.COMPLETED, "2.0")
