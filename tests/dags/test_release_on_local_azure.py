"""Whole runs of the DAGs on local Azure with real storage. The tests share one app and run in their order."""

from __future__ import annotations

import io
import json
import random
import re
import zipfile
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient

from demo.cloud import HUB_OF, STAGING
from demo.orders import make_order
from demo.package import orders_package
from zdd.core.release import Marker
from zdd.hooks.release_store import ReleaseStore, app_key

pytestmark = pytest.mark.timeout(300)

SECRETS = re.compile(r"AccountKey=|Eby8vdM02xNOcqFlqUwJ|durabletask_extension=|code=")


@pytest.fixture
def store(stack) -> ReleaseStore:
    return ReleaseStore(TableServiceClient.from_connection_string(stack.storage))


@pytest.fixture
def key(stack) -> str:
    return app_key(stack.azure.subscription_id, stack.azure.resource_group, stack.cloud.app)


def marker(stack, slot: str | None) -> Marker | None:
    apps, group = stack.cloud.client.web_apps, stack.azure.resource_group
    if slot:
        return Marker.of(apps.list_application_settings_slot(group, stack.cloud.app, slot).properties)
    return Marker.of(apps.list_application_settings(group, stack.cloud.app).properties)


def states(run: Any) -> dict[str, str | None]:
    return {ti.task_id: ti.state for ti in run.get_task_instances()}


def xcoms(run: Any) -> dict[str, Any]:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(XComModel).where(XComModel.run_id == run.run_id)).all()
        return {f"{row.task_id}/{row.key}": XComModel.deserialize_value(row) for row in found}


def test_a_release_goes_from_package_to_swap(stack, dags, store, key):
    run = dags["status_check_slot"].test(run_conf=stack.release("v2_0_0", "2.0.0", settle_seconds=1, poll_seconds=1))
    found = states(run)
    assert run.state == "success", found
    assert {task for task, state in found.items() if state == "skipped"} == {
        "approve",
        "approve_terminate_staging",
        "terminate_staging",
        "approve_terminate_production",
        "terminate_production",
        "swap_back",
    }
    assert stack.cloud.hub(None) == HUB_OF[STAGING]
    assert marker(stack, None).version == "2.0.0"
    assert httpx.get(f"{stack.cloud.address(None)}/api/edition", timeout=30).json()["edition"] == "2.0.0"
    assert [row["State"] for row in store.releases(key)] == ["live"]
    assert store.holder(key) is None

    # Evidence: small JSON, no secret anywhere in it.
    told = xcoms(run)
    swap = told["swap/return_value"]
    assert swap["proof"]["first_zero_at"] < swap["proof"]["began"]
    assert swap["proof"]["hub"].startswith("hub=ordersgreen ")
    for name, value in told.items():
        text = json.dumps(value, default=str)
        assert not SECRETS.search(text), name
        assert len(text) < 12_000, name


def test_the_nightly_release_has_nothing_to_release_when_that_is_live(stack, dags, monkeypatch, store, key):
    queued = {"package": stack.upload("v2_0_0"), "version": "2.0.0"}
    monkeypatch.setenv("AIRFLOW_VAR_ZDD_NEXT_ORDERS", json.dumps(queued))
    conf = {"resource_group": stack.azure.resource_group, "app_name": stack.cloud.app}
    conf |= {"window_from": "00:00", "window_to": "23:59"}
    run = dags["nightly_release"].test(run_conf=conf)
    found = states(run)
    assert (run.state, found["choose_package"], found["lock"], found["swap"]) == (
        "success",
        "skipped",
        "skipped",
        "skipped",
    )
    assert "nothing to release: version 2.0.0 of orders is live already" in xcoms(run)["report/return_value"]["reason"]
    assert len(store.releases(key)) == 1


def test_a_window_that_closes_before_staging_has_drained_ends_the_night_cleanly(stack, dags, store, key, monkeypatch):
    from zdd.operators.nightly import ChoosePackageOperator

    # The old code in staging gets an order that nobody answers: its hub stays busy.
    front = stack.cloud.front(STAGING)
    order = make_order("night-1", random.Random(1)) | {"expire_after_seconds": 25}
    started = httpx.post(f"{front.url}/api/orders", headers={"x-functions-key": front.key}, json=order, timeout=30)
    assert started.status_code == 202, started.text
    package = stack.upload("v1_1_0")
    closes = (datetime.now(UTC) + timedelta(seconds=14)).isoformat()
    chosen = {"package": package, "version": "1.1.1", "window_end": closes}
    monkeypatch.setattr(ChoosePackageOperator, "act", lambda _self, _context: chosen)
    conf = {"resource_group": stack.azure.resource_group, "app_name": stack.cloud.app, "poll_seconds": 2}
    run = dags["nightly_release"].test(run_conf=conf)
    found = states(run)
    assert (run.state, found["wait_for_staging_to_drain"], found["deploy_to_staging"], found["unlock"]) == (
        "success",
        "skipped",
        "skipped",
        "success",
    )
    reason = xcoms(run)["report/return_value"]["reason"]
    assert "The release window closed" in reason
    assert started.json()["id"] in reason
    assert store.holder(key) is None


def test_production_that_does_not_answer_its_probe_is_swapped_back(stack, dags, store, key, monkeypatch):
    monkeypatch.setenv("AIRFLOW__ZDD__VERIFY_TIMEOUT_SECONDS", "20")
    before = stack.cloud.hub(None)
    conf = stack.release("v2_0_0", "2.0.9", settle_seconds=1, poll_seconds=1)
    conf |= {"package": upload(stack, "orders-2.0.9.zip", not_ready_in_production()), "probe_path": "/api/ready"}
    run = dags["status_check_slot"].test(run_conf=conf)
    found = states(run)
    assert (run.state, found["swap"], found["verify_production"], found["swap_back"], found["unlock"]) == (
        "failed",
        "success",
        "failed",
        "success",
        "success",
    )
    assert "/api/ready answers 500" in xcoms(run)["verify_production/reason"]
    assert stack.cloud.hub(None) == before
    assert marker(stack, None).version == "2.0.0"
    assert httpx.get(f"{stack.cloud.address(None)}/api/edition", timeout=30).json()["edition"] == "2.0.0"
    assert store.releases(key)[-1]["State"] == "rolled back"
    assert store.holder(key) is None


NOT_READY_IN_PRODUCTION = """

@app.route(route="ready", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def ready(req: func.HttpRequest) -> func.HttpResponse:
    import os

    return func.HttpResponse(status_code=500 if os.environ["WEBSITE_SLOT_NAME"] == "Production" else 200)
"""


def not_ready_in_production() -> bytes:
    """The package of 2.0.0 with a probe that answers 500 wherever it is production; Azure's own warm-up is content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(orders_package("v2_0_0"))) as good, zipfile.ZipFile(buffer, "w") as bad:
        for name in good.namelist():
            more = NOT_READY_IN_PRODUCTION.encode() if name == "function_app.py" else b""
            bad.writestr(name, good.read(name) + more)
    return buffer.getvalue()


def upload(stack, name: str, package: bytes) -> str:
    with BlobServiceClient.from_connection_string(stack.storage) as service:
        service.get_blob_client("packages", name).upload_blob(package, overwrite=True)
    return f"wasb://packages/{name}"


def test_the_connections_can_be_tried_with_one_click(stack, dags):
    conf = {"resource_group": stack.azure.resource_group, "app_name": stack.cloud.app}
    run = dags["check_connections"].test(run_conf=conf)
    assert run.state == "success", states(run)
    assert "hub=orders" in str(xcoms(run)["azure/return_value"]["hubs"])
