"""The partition of an instance, and the names of a hub's queues."""

from __future__ import annotations

import pytest

from zdd.core.partitions import control_queues, fnv1a_32, key_filter, partition_of, work_item_queue


@pytest.mark.parametrize(
    ("text", "value"), [("", 0x811C9DC5), ("a", 0xE40C292C), ("foobar", 0xBF9CF968)], ids=["empty", "a", "foobar"]
)
def test_the_hash_is_the_published_one(text: str, value: int) -> None:
    assert fnv1a_32(text.encode()) == value


def test_recorded_instances_go_to_the_queues_that_the_engine_chose() -> None:
    assert partition_of("hello-1", 4) == 1


def test_queue_names_are_in_lower_case() -> None:
    assert control_queues("Orders", 2) == ("orders-control-00", "orders-control-01")
    assert work_item_queue("Orders") == "orders-workitems"


def test_a_key_with_a_quote_cannot_break_out_of_a_filter() -> None:
    assert key_filter("a' or '1' eq '1") == "PartitionKey eq 'a'' or ''1'' eq ''1'"
