"""The demo's verdict over instances: what counts as broken."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from demo.audit import audit, judge
from demo.orders import expected_output, make_order

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ORDER = make_order("O-1", random.Random(3)) | {"edition": "1.1.0"}


def row(**changes: Any) -> dict[str, Any]:
    return {
        "PartitionKey": "abc",
        "RowKey": "",
        "Name": "order",
        "RuntimeStatus": "Completed",
        "Input": json.dumps(ORDER),
        "Output": json.dumps(expected_output(ORDER)),
        "CreatedTime": NOW,
        **changes,
    }


def test_a_completed_order_with_its_expected_output_is_whole() -> None:
    assert judge("Blue", row()).fault is None


def test_an_input_that_the_client_has_encoded_twice_is_read_all_the_same() -> None:
    assert judge("Blue", row(Input=json.dumps(json.dumps(ORDER)))).fault is None


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"RuntimeStatus": "Running"}, "still Running"),
        ({"RuntimeStatus": "Pending"}, "still Pending"),
        ({"RuntimeStatus": "Suspended"}, "still Suspended"),
        ({"RuntimeStatus": "Failed", "Output": '"Non-Deterministic workflow detected"'}, "Failed: Non-Deterministic"),
        ({"RuntimeStatus": "Terminated"}, "Terminated"),
        ({"Output": json.dumps(expected_output(ORDER) | {"total_cents": 1})}, "instead of"),
        ({"Output": json.dumps(expected_output(ORDER | {"edition": "2.0.0"}))}, "instead of"),
        ({"Output": None}, "instead of"),
    ],
)
def test_everything_else_is_broken(changes: dict[str, Any], fault: str) -> None:
    assert fault in (judge("Blue", row(**changes)).fault or "")


def test_an_audit_counts_orders_and_names_the_broken_and_the_lost(azurite: str) -> None:
    with TableServiceClient.from_connection_string(azurite) as service:
        table = service.create_table("DemoAuditInstances")
        table.create_entity(row())
        table.create_entity(row(PartitionKey="def", RuntimeStatus="Failed"))
        table.create_entity(row(PartitionKey="child", Name="shipping"))
        table.create_entity(row(PartitionKey="@stock@lamp", Name="@stock", RuntimeStatus="Running"))

    found = audit(azurite, ["DemoAudit", "NoSuchHub"], given_out=["abc", "def", "gone"])

    assert [one.instance_id for one in found.orders] == ["abc", "def"]
    assert len(found.children) == 1
    assert found.lost == ("gone",)
    assert len(found.broken) == 2
