"""What became of every orchestration instance, read from the hubs' tables: the customers' word is not enough."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient

from demo.orders import expected_output

TOP_LEVEL, CHILDREN = "order", "shipping"
COLUMNS = ["PartitionKey", "Name", "RuntimeStatus", "Input", "Output", "CreatedTime", "LastUpdatedTime", "Version"]
IN_FLIGHT = {"Pending", "Running", "Suspended", "ContinuedAsNew"}


@dataclass(frozen=True)
class Instance:
    """One row of an Instances table, judged."""

    hub: str
    instance_id: str
    name: str
    edition: str
    status: str
    created: datetime
    fault: str | None
    """Why it counts as broken; None when it is Completed with the expected output."""


@dataclass(frozen=True)
class Audit:
    """All instances of all hubs."""

    orders: tuple[Instance, ...]
    children: tuple[Instance, ...]
    lost: tuple[str, ...] = field(default=())
    """Ids that the app handed out and that stand in no hub."""

    @property
    def broken(self) -> list[str]:
        """One line for each order, child or lost id that did not come to its expected end."""
        lines = [
            f"{one.hub}/{one.name} {one.instance_id} (taken by {one.edition}): {one.fault}"
            for one in (*self.orders, *self.children)
            if one.fault
        ]
        return lines + [f"order {instance_id}: the app gave this id out, no hub has it" for instance_id in self.lost]

    def by_hub_and_edition(self) -> Counter[tuple[str, str, str]]:
        """Count orders by hub, edition and status."""
        return Counter((one.hub, one.edition, one.status) for one in self.orders)

    def created_between(self, hub: str, after: datetime, until: datetime) -> int:
        """Count the orders of a hub that came into being in a span of time."""
        return sum(1 for one in self.orders if one.hub == hub and after < one.created <= until)


def judge(hub: str, row: Mapping[str, Any]) -> Instance:
    """Compare one row with what its own input says must come out."""
    name, status = str(row["Name"]), str(row["RuntimeStatus"])
    order = _json(row.get("Input"))
    edition = str(order.get("edition", "")) if isinstance(order, dict) else ""
    fault: str | None = None
    output = _json(row.get("Output"))
    if status in IN_FLIGHT:
        fault = f"still {status}"
    elif status != "Completed":
        fault = f"{status}: {str(output)[:300]}"
    elif name == TOP_LEVEL:
        wanted = expected_output(order)
        if output != wanted:
            fault = f"Completed with {json.dumps(output)[:300]} instead of {json.dumps(wanted)[:300]}"
    return Instance(hub, str(row["PartitionKey"]), name, edition, status, row["CreatedTime"], fault)


def audit(connection_string: str, hubs: Iterable[str], given_out: Iterable[str] = ()) -> Audit:
    """Read every instance of the hubs; `given_out` are the ids that customers got for their orders."""
    found: list[Instance] = []
    with TableServiceClient.from_connection_string(connection_string) as service:
        for hub in hubs:
            try:
                rows = list(service.get_table_client(f"{hub}Instances").list_entities(select=COLUMNS))
            except ResourceNotFoundError:
                continue
            # An entity's row runs for ever and is no order.
            found += [judge(hub, row) for row in rows if not str(row["PartitionKey"]).startswith("@")]
    orders = tuple(sorted((one for one in found if one.name == TOP_LEVEL), key=lambda one: one.created))
    children = tuple(one for one in found if one.name != TOP_LEVEL)
    known = {one.instance_id for one in orders}
    return Audit(orders, children, tuple(sorted(set(given_out) - known)))


def _json(text: Any) -> Any:
    """Read a column that holds JSON; the Python SDK's clients put a JSON text into a JSON text."""
    value = text
    for _ in range(2):
        if not isinstance(value, str):
            return value
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return value
