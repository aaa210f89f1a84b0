"""Payloads over 60 KB lie in blobs under the engine's names, and come back whole."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from typing import Any

from azure.storage.blob.aio import ContainerClient

from local_azure.engine.instances import Status
from local_azure.engine.names import large_messages_container
from local_azure.engine.service import TaskHub
from local_azure.engine.settings import HubSettings

from .conftest import Run
from .fake_code import Context, FakeCode, Task

BIG = "x" * 100_000
HEX = "[0-9a-f]{32}"


async def make_text(size: int) -> str:
    return "x" * size


def big(context: Context) -> Generator[Task, Any, Any]:
    return (yield context.activity("MakeText", len(context.input)))


async def _blobs(settings: HubSettings) -> list[str]:
    name = large_messages_container(settings.hub_name)
    async with ContainerClient.from_connection_string(settings.connection_string, name) as container:
        return [blob.name async for blob in container.list_blobs()]


async def test_a_large_start_is_a_message_that_names_its_blob(settings: HubSettings) -> None:
    async with TaskHub(settings) as hub:
        await hub.start("Big", json.dumps(BIG), instance_id="big-1")
        pending = await hub.get("big-1")
    (blob,) = await _blobs(settings)
    assert re.fullmatch(f"big-1/message-{HEX}-ExecutionStarted.json.gz", blob)
    assert pending is not None
    assert pending.input == json.dumps(BIG)


async def test_large_inputs_results_and_outputs_come_back_whole_and_go_with_a_purge(
    settings: HubSettings, run: Run
) -> None:
    async with run(FakeCode({"Big": big}, {"MakeText": make_text})) as running:
        state = await running.run("Big", json.dumps(BIG), instance_id="big-1")
        row = await running.hub._opened.instances.row("big-1")  # type: ignore[union-attr]
        blobs = await _blobs(settings)
        assert await running.hub.purge("big-1")
        left = await _blobs(settings)
    assert (state.status, state.output, state.input) == (Status.COMPLETED, json.dumps(BIG), json.dumps(BIG))
    assert row is not None
    assert re.search(r"/big-1/history-[0-9A-F]{16}-ExecutionCompleted-[0-9A-F]{8}-Result.json.gz$", row["Output"])
    assert any(re.fullmatch(r"big-1/history-0{15}1-ExecutionStarted-[0-9A-F]{8}-Input.json.gz", b) for b in blobs)
    assert any(re.fullmatch(f"big-1/message-{HEX}-TaskCompleted.json.gz", blob) for blob in blobs)
    assert left == []
