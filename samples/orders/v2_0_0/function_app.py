"""The orders app, edition 2.0.0: prices come first and may carry a discount; items are allocated to a warehouse.

A breaking change: an order that 1.x has begun cannot be finished by this code. `price_order` is scheduled where 1.x
scheduled `reserve_item`, which is gone, and what `shipping` calls has another name.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
import azure.functions as func

EDITION = "2.0.0"
REMIND_AFTER_SECONDS = 15 * 60
EXPIRE_AFTER_SECONDS = 24 * 3600
APPROVAL = "Approval"
DISCOUNT_FROM_CENTS = 50_000
DISCOUNT_PERCENT = 5

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


# --- HTTP ---------------------------------------------------------------------------------------------------------


@app.route(route="orders", methods=["POST"])
@app.durable_client_input(client_name="client")
async def take_order(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Start the orchestration of one order and answer with the URLs to follow it."""
    try:
        order = req.get_json()
        number, lines = order["order"], order["lines"]
        complete = bool(number) and bool(lines) and all({"sku", "quantity", "cents"} <= line.keys() for line in lines)
    except (ValueError, TypeError, KeyError, AttributeError):
        complete = False
    if not complete:
        problem = {"error": 'expected {"order": "…", "lines": [{"sku": "…", "quantity": 1, "cents": 100}]}'}
        return func.HttpResponse(json.dumps(problem), status_code=400, mimetype="application/json")
    instance_id = await client.start_new("order", client_input={**order, "edition": EDITION})
    response = client.create_check_status_response(req, instance_id)
    response.headers["X-Orders-Edition"] = EDITION
    return response


@app.function_name("StatusCheck")
@app.route(route="StatusCheck", methods=["GET", "POST"])
@app.durable_client_input(client_name="client")
async def status_check(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    """Say whether anything is pending or running: the gate function of Microsoft's zero-downtime article."""
    statuses = [df.OrchestrationRuntimeStatus.Pending, df.OrchestrationRuntimeStatus.Running]
    instances = await client.get_status_by(runtime_status=statuses)
    return func.HttpResponse(json.dumps({"HasRunning": len(instances) > 0}), mimetype="application/json")


@app.route(route="edition", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def edition(req: func.HttpRequest) -> func.HttpResponse:
    """Say which edition of the app answers: a probe for after a deployment."""
    return func.HttpResponse(json.dumps({"app": "orders", "edition": EDITION}), mimetype="application/json")


# --- Orchestrations -----------------------------------------------------------------------------------------------


@app.orchestration_trigger(context_name="context")
def order(context: df.DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any]]:
    """One order, from its price to the parcel."""
    request: dict[str, Any] = context.get_input()
    number = request["order"]
    context.set_custom_status({"step": "pricing", "order": number})
    price = yield context.call_activity("price_order", request)
    total = price["total_cents"]
    context.set_custom_status({"step": "allocating", "order": number})
    lines = yield context.task_all([context.call_activity("allocate_item", line) for line in request["lines"]])

    context.set_custom_status({"step": "waits for approval", "order": number, "total_cents": total})
    asked_at = context.current_utc_datetime
    approval = context.wait_for_external_event(APPROVAL)
    reminder = context.create_timer(
        asked_at + timedelta(seconds=request.get("remind_after_seconds", REMIND_AFTER_SECONDS))
    )
    expiry = context.create_timer(
        asked_at + timedelta(seconds=request.get("expire_after_seconds", EXPIRE_AFTER_SECONDS))
    )
    first = yield context.task_any([approval, reminder, expiry])
    if first == reminder:
        yield context.call_activity("send_reminder", {"order": number})
        first = yield context.task_any([approval, expiry])
    for timer in (reminder, expiry):
        if not timer.is_completed:
            timer.cancel()

    outcome = {"order": number, "edition": EDITION, "lines": lines, **price}
    if first == expiry or not approval.result["approved"]:
        context.set_custom_status({"step": "giving back", "order": number})
        yield context.task_all([context.call_activity("release_item", line) for line in lines])
        return {**outcome, "outcome": "expired" if first == expiry else "rejected", "parcel": None}

    context.set_custom_status({"step": "charging", "order": number})
    patience = df.RetryOptions(first_retry_interval_in_milliseconds=1000, max_number_of_attempts=3)
    yield context.call_activity_with_retry("charge_payment", patience, {"order": number, "cents": total})
    context.set_custom_status({"step": "shipping", "order": number})
    parcel = yield context.call_sub_orchestrator("shipping", {"order": number, "lines": lines})
    context.set_custom_status({"step": "shipped", "order": number})
    return {**outcome, "outcome": "shipped", "parcel": parcel}


@app.orchestration_trigger(context_name="context")
def shipping(context: df.DurableOrchestrationContext) -> Generator[Any, Any, dict[str, Any]]:
    """Pack what was allocated, wait for the carrier's collection, hand the parcel over."""
    request: dict[str, Any] = context.get_input()
    pieces = yield context.call_activity("pack_for_warehouses", request)
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=1))
    parcel = yield context.call_activity("hand_to_carrier", {"order": request["order"], "pieces": pieces})
    return parcel


# --- Activities: each stands for a call to a system of the shop's; the naps are that system's answer times --------


@app.activity_trigger(input_name="request")
def price_order(request: dict[str, Any]) -> dict[str, Any]:
    list_price = sum(line["quantity"] * line["cents"] for line in request["lines"])
    discount = list_price * DISCOUNT_PERCENT // 100 if list_price >= DISCOUNT_FROM_CENTS else 0
    return {"total_cents": list_price - discount, "discount_cents": discount}


@app.activity_trigger(input_name="line")
def allocate_item(line: dict[str, Any]) -> dict[str, Any]:
    time.sleep(0.1)
    warehouse = "north" if len(line["sku"]) % 2 else "south"
    return {"sku": line["sku"], "quantity": line["quantity"], "warehouse": warehouse}


@app.activity_trigger(input_name="line")
def release_item(line: dict[str, Any]) -> str:
    return str(line["sku"])


@app.activity_trigger(input_name="notice")
def send_reminder(notice: dict[str, Any]) -> str:
    return f"reminded the approver of {notice['order']}"


@app.activity_trigger(input_name="payment")
def charge_payment(payment: dict[str, Any]) -> str:
    time.sleep(0.2)
    return f"{payment['order']}:{payment['cents']}"


@app.activity_trigger(input_name="request")
def pack_for_warehouses(request: dict[str, Any]) -> int:
    time.sleep(0.1)
    return sum(int(line["quantity"]) for line in request["lines"])


@app.activity_trigger(input_name="parcel")
def hand_to_carrier(parcel: dict[str, Any]) -> dict[str, Any]:
    time.sleep(0.1)
    return {"pieces": parcel["pieces"], "tracking": f"ZD-{parcel['order']}-{parcel['pieces']}"}
