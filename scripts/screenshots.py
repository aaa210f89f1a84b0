"""Takes the pictures of docs/ with Chromium: the form, the graph of a running release, the log of a waiting gate.

Starts the demo's stack with traffic that keeps the first gate closed, so that there is something to wait for; or, with
--url, --password and --run, takes them from an Airflow that runs already.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # a script finds its own folder only

from demo.airflow_api import AirflowApi  # noqa: E402
from demo.cloud import STAGING  # noqa: E402
from demo.stack import DAG, Stack  # noqa: E402

IMAGES = ROOT / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
# No sandbox: containers and CI run as root, where Chromium's own refuses to start. It opens our own pages only.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
GATE = "wait_for_staging_to_drain"
WIDE = {"width": 1440, "height": 900}
TALL = {"width": 1600, "height": 1500}
MARGIN = 24
FIRST_SECTION, SECOND_SECTION = "1. What to release", "2. Gates and deadlines"
FILLED_IN = {
    "resource_group": "shop",
    "app_name": "orders",
    "package": "wasb://packages/orders-2.0.0.zip",
    "version": "2.0.0",
}
WAITING_ORDERS = 3
# So that the log shows what the trigger says after some looks.
SOME_POLLS_SECONDS = 12
GATE_TIMEOUT_SECONDS = 180


@dataclass(frozen=True)
class Signed:
    """An Airflow and a token to see it with."""

    url: str
    token: str


def sign_in(url: str, username: str, password: str) -> Signed:
    """Get a token from Airflow's own sign-in."""
    answer = httpx.post(f"{url}/auth/token", json={"username": username, "password": password}, timeout=30)
    answer.raise_for_status()
    return Signed(url, answer.json()["access_token"])


@contextmanager
def browser_page(airflow: Signed) -> Iterator[Page]:
    """Open a page of a Chromium that is signed in, shows graphs from top to bottom and wraps long lines of logs."""
    if not Path(CHROMIUM).exists():
        raise SystemExit(f"expected Chromium at {CHROMIUM}, found none: install the Debian package `chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = browser.new_context(viewport=WIDE, color_scheme="light", device_scale_factor=1)
        context.add_cookies([{"name": "_token", "value": airflow.token, "url": airflow.url}])
        context.add_init_script(
            f"localStorage.setItem('direction-{DAG}', '\"DOWN\"'); localStorage.setItem('log_wrap', 'true');"
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        yield page
        browser.close()


def form(page: Page, airflow: Signed, run: str, target: Path) -> None:  # noqa: ARG001
    """Picture the form of the DAG, as one gets it by the button `Trigger`: what to release, and the gates."""
    page.set_viewport_size({"width": 1200, "height": 2000})
    page.goto(f"{airflow.url}/dags/{DAG}")
    page.get_by_role("button", name="Trigger").first.click()
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    _settle(page)  # it comes in with an animation, and a click on its way hits nothing
    dialog.get_by_text(FIRST_SECTION).click()
    for name, text in FILLED_IN.items():
        dialog.locator(f"#element_{name}").fill(text)
    _settle(page)
    dialog.screenshot(path=target)
    dialog.get_by_text(SECOND_SECTION).click()  # which closes the first
    _settle(page)
    dialog.screenshot(path=target.with_stem(f"{target.stem}-gates"))


def graph(page: Page, airflow: Signed, run: str, target: Path) -> None:
    """Picture the graph of a run, cut to its nodes."""
    page.set_viewport_size(TALL)
    page.goto(f"{airflow.url}/dags/{DAG}/runs/{run}")
    page.get_by_role("button", name="Graph").first.click()
    node = page.locator(".react-flow__node")
    node.first.wait_for()
    page.add_style_tag(content=".react-flow__minimap, .react-flow__controls, .react-flow__panel { display: none; }")
    _settle(page)
    boxes = [box for box in (node.nth(index).bounding_box() for index in range(node.count())) if box]
    left, top = (min(box[side] for box in boxes) - MARGIN for side in ("x", "y"))
    right = max(box["x"] + box["width"] for box in boxes) + MARGIN
    bottom = max(box["y"] + box["height"] for box in boxes) + MARGIN
    page.screenshot(path=target, clip={"x": left, "y": top, "width": right - left, "height": bottom - top})


def log(page: Page, airflow: Signed, run: str, target: Path) -> None:
    """Picture the log of the first gate, beside the grid that shows how far the release is."""
    page.set_viewport_size(WIDE)
    page.goto(f"{airflow.url}/dags/{DAG}/runs/{run}/tasks/{GATE}")
    page.get_by_text("Log message source details").first.wait_for()
    _settle(page)
    page.screenshot(path=target)


def take_all(airflow: Signed, run: str, folder: Path) -> None:
    """Take the pictures of one run whose first gate waits."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, take in (("running-graph", graph), ("waiting-sensor-log", log), ("dag-form", form)):
        with browser_page(airflow) as page:  # each its own: the UI remembers the view that was chosen last
            take(page, airflow, run, folder / f"{name}.png")
        print(folder / f"{name}.png")


def _settle(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)  # the graph is laid out and zoomed with an animation that tells no one of its end


async def start_a_release_that_waits(stack: Stack) -> str:
    """Put orders that nobody approves into staging, trigger the DAG, wait until the first gate is deferred."""
    front = stack.cloud.front(STAGING)
    async with httpx.AsyncClient(base_url=front.url, headers={"x-functions-key": front.key}, timeout=30) as shop:
        for number in range(WAITING_ORDERS):
            order = {"order": f"S-{number}", "lines": [{"sku": "desk", "quantity": 1, "cents": 24_900}]}
            (await shop.post("/api/orders", json=order)).raise_for_status()
    airflow = stack.airflow
    async with AirflowApi(airflow.url, airflow.credentials) as api:
        await api.wait_for_dag(DAG)
        run = await api.trigger(DAG, stack.release("v2_0_0", "2.0.0", poll_seconds=3))
        states: dict[str, str | None] = {}
        deadline = time.monotonic() + GATE_TIMEOUT_SECONDS
        while states.get(GATE) != "deferred":
            if time.monotonic() > deadline:
                raise TimeoutError(f"expected {GATE} to wait after {GATE_TIMEOUT_SECONDS} s, found {states}")
            await asyncio.sleep(1)
            states = {task.task_id: task.state for task in await api.tasks(DAG, run)}
        await asyncio.sleep(SOME_POLLS_SECONDS)
    return run


def main() -> int:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Take the pictures of docs/ from a running stack.")
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where they go")
    parser.add_argument("--url", help="of an Airflow that runs already")
    parser.add_argument("--username", default="admin")
    parser.add_argument("--password", default="")
    parser.add_argument("--run", help="id of a run there whose first gate waits")
    given = parser.parse_args()
    if given.url:
        if not given.run:
            parser.error("--url wants --run, too")
        take_all(sign_in(given.url, given.username, given.password), given.run, given.folder)
        return 0
    with Stack(ROOT / ".local" / "screenshots", say=print) as stack:
        run = asyncio.run(start_a_release_that_waits(stack))
        credentials = stack.airflow.credentials
        airflow = sign_in(stack.airflow.url, credentials.username, credentials.password)
        take_all(airflow, run, given.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
