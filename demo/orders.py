"""The orders of the demo's customers, and what each must come to: pure functions of an order's input."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

CATALOGUE = {"desk": 24_900, "lamp": 4_500, "chair": 12_900, "shelf": 8_900, "rug": 15_900, "plant": 1_900}
REJECT_ABOVE_CENTS = 120_000
# An order with a shorter time-out than this is one that nobody answers: it is to expire.
UNANSWERED_BELOW_SECONDS = 60
EDITIONS_WITH_DISCOUNT = ("2.",)
DISCOUNT_FROM_CENTS = 50_000
DISCOUNT_PERCENT = 5


def make_order(number: str, rng: random.Random, *, remind: bool = False, unanswered: bool = False) -> dict[str, Any]:
    """Return the body that starts order `number`; the random choices come from `rng` only."""
    skus = rng.sample(sorted(CATALOGUE), k=rng.randint(2, 4))
    lines = [{"sku": sku, "quantity": rng.randint(1, 3), "cents": CATALOGUE[sku]} for sku in skus]
    order: dict[str, Any] = {"order": number, "lines": lines}
    if remind:
        order["remind_after_seconds"] = 3
    if unanswered:
        order["remind_after_seconds"], order["expire_after_seconds"] = 2, 5
    return order


def list_price(order: Mapping[str, Any]) -> int:
    """Return the price of all lines in cents, without discount."""
    return sum(int(line["quantity"]) * int(line["cents"]) for line in order["lines"])


def is_answered(order: Mapping[str, Any]) -> bool:
    """Say whether the approver answers this order at all."""
    return int(order.get("expire_after_seconds", UNANSWERED_BELOW_SECONDS)) >= UNANSWERED_BELOW_SECONDS


def is_approved(order: Mapping[str, Any]) -> bool:
    """Return the approver's decision: no order above the limit."""
    return list_price(order) <= REJECT_ABOVE_CENTS


def expected_output(order: Mapping[str, Any]) -> dict[str, Any]:
    """Return the output that the edition which took the order must give for it.

    `order` is the orchestration's input as it stands in storage: the customer's order and the `edition`.
    """
    edition = str(order["edition"])
    output: dict[str, Any] = {"order": order["order"], "edition": edition}
    if edition.startswith(EDITIONS_WITH_DISCOUNT):
        price = list_price(order)
        discount = price * DISCOUNT_PERCENT // 100 if price >= DISCOUNT_FROM_CENTS else 0
        output |= {"total_cents": price - discount, "discount_cents": discount}
        output["lines"] = [
            {"sku": line["sku"], "quantity": line["quantity"], "warehouse": ("south", "north")[len(line["sku"]) % 2]}
            for line in order["lines"]
        ]
    else:
        output["total_cents"] = list_price(order)
        output["lines"] = [
            {"sku": line["sku"], "quantity": line["quantity"], "cents": line["quantity"] * line["cents"]}
            for line in order["lines"]
        ]
    if not is_answered(order):
        return output | {"outcome": "expired", "parcel": None}
    if not is_approved(order):
        return output | {"outcome": "rejected", "parcel": None}
    pieces = sum(int(line["quantity"]) for line in order["lines"])
    return output | {
        "outcome": "shipped",
        "parcel": {"pieces": pieces, "tracking": f"ZD-{order['order']}-{pieces}"},
    }
