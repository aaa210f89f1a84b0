"""Slots by App Service plan, and what to say when an app or slot does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from zdd.core.findings import Finding, error
from zdd.core.slot_view import SlotView


def slots_of_plan(sku: str) -> int | None:
    """How many slots, production included, a plan allows; None when that is not known."""
    plan = sku.strip().lower()
    if plan in ("fc1", "flexconsumption", "flex consumption"):
        return 1
    if plan in ("y1", "dynamic", "consumption"):
        return 2
    if plan in ("ep1", "ep2", "ep3", "elasticpremium"):
        return 3
    if plan in ("f1", "d1", "b1", "b2", "b3", "free", "shared", "basic"):
        return 1
    if plan in ("s1", "s2", "s3", "standard"):
        return 5
    if plan.startswith(("p1", "p2", "p3", "p0", "p4", "p5", "premium", "i1", "i2", "i3", "i4", "i5", "i6", "isolated")):
        return 20
    return None


def missing_slots(
    production: SlotView | None, staging: SlotView | None, *, sku: str, site_name: str, staging_name: str
) -> Iterator[Finding]:
    """Errors for an app or slot that does not exist."""
    if production is None:
        yield error(
            "app-missing",
            f"There is no function app {site_name}",
            expected="an existing app with a production slot",
            found="nothing of that name in the resource group",
            do="check name, resource group and subscription",
        )
        return
    if staging is None:
        allowed = slots_of_plan(sku)
        if allowed == 1:
            yield error(
                "plan-without-slots",
                f"The plan of {site_name} has no deployment slots",
                expected="a plan with slots: Consumption has 2, Premium 3, Standard and higher 5 to 20",
                found=f"plan {sku}",
                do="move to a plan with slots, or use application routing or orchestration versioning",
            )
            return
        room = f"; the plan {sku} allows {allowed} with production" if allowed else ""
        yield error(
            "slot-missing",
            f"The app {site_name} has no slot {staging_name}",
            expected=f"a slot {staging_name}",
            found=f"none of that name{room}",
            do="create the slot with settings of its own for the task hub, or correct the parameter slot_name",
        )
