"""Messages of control and work-item queues are read in every form that the engine has used."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zdd.core.messages import UNREADABLE, QueueMessage, read_message

START = {
    "TaskMessage": {
        "Event": {"EventType": 0, "Name": "Order"},
        "OrchestrationInstance": {"InstanceId": "order-1", "ExecutionId": "x"},
    },
    "CompressedBlobName": None,
}


def test_a_plain_message_tells_its_instance_and_kind() -> None:
    assert read_message(json.dumps(START)) == QueueMessage("order-1", "ExecutionStarted")


def test_a_base64_message_tells_its_instance_and_kind() -> None:
    assert read_message(base64.b64encode(json.dumps(START).encode())) == QueueMessage("order-1", "ExecutionStarted")


@pytest.mark.parametrize("task_message", [None, {"Event": None, "OrchestrationInstance": None}])
def test_a_large_message_is_read_from_the_name_of_its_blob(task_message: object) -> None:
    body = {"TaskMessage": task_message, "CompressedBlobName": "a/b/message-0af1-ExecutionStarted.json.gz"}
    assert read_message(json.dumps(body)) == QueueMessage("a/b", "ExecutionStarted")


@pytest.mark.parametrize(
    "body",
    [
        "not json",
        "[]",
        "null",
        "{}",
        '{"CompressedBlobName": "message.json.gz"}',
        '{"TaskMessage": {"Event": {"EventType": 99}, "OrchestrationInstance": {"InstanceId": "a"}}}',
        '{"TaskMessage": {"Event": {"EventType": true}, "OrchestrationInstance": {"InstanceId": "a"}}}',
    ],
)
def test_what_cannot_be_read_whole_is_unreadable(body: str) -> None:
    assert not read_message(body).is_readable


@given(st.text())
def test_no_text_makes_the_reading_fail(body: str) -> None:
    assert isinstance(read_message(body), type(UNREADABLE))
