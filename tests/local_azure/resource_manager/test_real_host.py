"""A swap under the real Functions host and Azurite: requests, keys and orchestrations all survive it."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from local_azure.launch import LocalAzure
from tests.local_azure.cloud import App, client_of, http, make_app

ORDERS = Path(__file__).resolve().parents[3] / "samples" / "orders"


def zipped(edition: str) -> bytes:
    buffer = io.BytesIO()
    folder = ORDERS / edition
    with zipfile.ZipFile(buffer, "w") as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                file.write(path, path.relative_to(folder))
    return buffer.getvalue()


def ready(app: App, slot: str, edition: str) -> bool:
    return bool(http.get(app.url(slot, "/api/edition"), timeout=60).json()["edition"] == edition)


async def customers(app: App, key: str, stop: asyncio.Event, seen: Counter[str]) -> list[str]:
    """Start orders through production at a steady rate and follow the management URLs that come back."""
    status_urls: list[str] = []

    async def one(client: httpx.AsyncClient, number: int) -> None:
        try:
            edition = await client.get(app.url("production", "/api/edition"))
            seen[f"edition {edition.json()['edition']}"] += 1
            order: dict[str, Any] = {"order": f"o{number}", "lines": [{"sku": "a", "quantity": 1, "cents": 100}]}
            url = app.url("production", "/api/orders")
            started = await client.post(url, json=order, headers={"x-functions-key": key})
            seen[f"start {started.status_code}"] += 1
            status_urls.append(started.json()["statusQueryGetUri"])
            status = await client.get(status_urls[-1])
            seen[f"status {status.status_code // 100}xx"] += 1
        except (httpx.HTTPError, ValueError, KeyError) as error:
            seen[f"failed {type(error).__name__} {error}"] += 1

    async with httpx.AsyncClient(timeout=60, verify=False) as client, asyncio.TaskGroup() as group:
        number = 0
        while not stop.is_set():
            number += 1
            group.create_task(one(client, number))
            await asyncio.sleep(0.2)
    return status_urls


@pytest.mark.timeout(240)
async def test_a_swap_of_real_hosts_under_requests_fails_none_and_keys_stay_with_production(
    azurite: str, tmp_path: Path
) -> None:
    with LocalAzure(tmp_path) as azure, client_of(azure) as client:
        app = await asyncio.to_thread(make_app, azure, client, "orders")
        hubs = {"production": "ArmOrdersBlue", "staging": "ArmOrdersGreen"}
        editions = {"production": ("v1_0_0", "1.0.0"), "staging": ("v1_1_0", "1.1.0")}
        for slot, hub in hubs.items():
            common = {"AzureWebJobsStorage": azurite, "DurableManagementStorage": azurite}
            app.set_settings(slot, OrdersTaskHub=hub, WEBSITE_RUN_FROM_PACKAGE="1", **common)
            assert app.push(slot, zipped(editions[slot][0])).status_code == 200
        for slot, (_, edition) in editions.items():
            assert await asyncio.to_thread(ready, app, slot, edition)
        keys = client.web_apps.list_host_keys(app.group, app.name)
        assert keys.function_keys is not None
        functions = {one.name: one.properties for one in client.web_apps.list_functions(app.group, app.name)}
        template = functions[f"{app.name}/take_order"].invoke_url_template
        assert template == app.url("production", "/api/orders")

        seen: Counter[str] = Counter()
        stop = asyncio.Event()
        traffic = asyncio.create_task(customers(app, keys.function_keys["default"], stop, seen))
        await asyncio.sleep(1)
        await asyncio.to_thread(lambda: app.begin_swap().result())
        await asyncio.sleep(1)
        stop.set()
        status_urls = await traffic

        assert set(seen) == {"edition 1.0.0", "edition 1.1.0", "start 202", "status 2xx"}, seen
        assert client.web_apps.list_host_keys(app.group, app.name).function_keys == keys.function_keys
        # Those that started before the switch live in the other slot's hub now and are reached through production.
        for url in (status_urls[0], status_urls[-1]):
            found = http.get(url, timeout=30)
            assert found.status_code in (200, 202)
            assert found.json()["runtimeStatus"] in ("Pending", "Running", "Completed")
