"""The management API's answers, compared with those that the real extension gave to the same requests."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import httpx
import pytest

from .child import Child
from .conftest import APPS

RECORDED = Path(__file__).parent / "recorded"
WEBHOOKS = "/runtime/webhooks/durabletask/"
HEADERS = ("Content-Type", "Location", "Retry-After", "x-ms-continuation-token")
# Where the answer is the recorded app's own, or words its language's failures: only the status is compared.
OWN_WORDS = re.compile(r"start the same id|start .*(no|fake|leading|activity failure|orchestrator failure)'?$|^signal$")


@pytest.fixture(scope="module")
def peer(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    log = tmp_path_factory.mktemp("peer") / "log"
    with Child(APPS / "peer", azurite, "HostPeer", log=log) as child:
        assert child.status()["state"] == "Running", log.read_text()
        yield child


def exchanges(scenario: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((RECORDED / f"{scenario}.json").read_text("utf-8"))
    return found


def translated(request: dict[str, Any], scenario: str) -> tuple[str, str]:
    """Method and path below the API's base, with the hub that a scenario makes named after it."""
    parts = urlsplit(request["path"])
    if parts.path.startswith(WEBHOOKS):
        path = parts.path.removeprefix(WEBHOOKS) + (f"?{parts.query}" if parts.query else "")
        return str(request["method"]), path.replace("GoldWrong", f"Gold{scenario.title().replace('-', '')}")
    path = parts.path.removeprefix("/api/")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    instance = query.get("instanceId", "").strip() and query["instanceId"]
    if path.startswith("entities/"):
        return "POST", f"{path}?{parts.query}"
    return "POST", path + (f"/{quote(quote(instance, safe=''), safe='')}" if instance else "")


def sent(host: Child, exchange: dict[str, Any], scenario: str) -> httpx.Response:
    method, path = translated(exchange["request"], scenario)
    body = exchange["request"]["body"]
    content = None if body is None else json.dumps(body)
    kind = "text/plain" if "without a JSON content type" in exchange["label"] else "application/json"
    token = {"content-type": kind} if content is not None else {}
    return host.durable(method, path, content=content, headers=token)


def answered(host: Child, exchange: dict[str, Any], scenario: str) -> httpx.Response:
    """Send the request; a question is asked until the instance has come to the recorded state."""
    deadline = time.monotonic() + 30
    while True:
        response = sent(host, exchange, scenario)
        if exchange["request"]["method"] != "GET" or has_come_to(exchange["body"], plain(response)):
            return response
        if exchange["status"] == 404 or time.monotonic() > deadline:
            return response
        time.sleep(0.1)


def has_come_to(wanted: Any, found: Any) -> bool:
    """Whether a reading shows the recorded state: the status, the number of items, or the entity's value."""
    if isinstance(wanted, dict):
        return wanted.get("runtimeStatus") == (found.get("runtimeStatus") if isinstance(found, dict) else None)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted)
    return bool(wanted == found)


def plain(response: httpx.Response) -> Any:
    return response.json() if response.content else ""


def comparable(status: int, headers: dict[str, Any], body: Any) -> tuple[int, dict[str, str], Any]:
    """An answer without what differs from run to run: addresses, hub, keys, made ids, times."""

    def clean(text: str) -> str:
        text = re.sub(r"http://127\.0\.0\.1:\d+", "BASE", text)
        text = re.sub(r"taskHub=\w+&connection=\w+(&code=[^&\"]+)?", "REQUIRED", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "TIME", text)
        text = text.replace("/instances/@", "/instances/%40").replace('@counter@a"', '%40counter%40a"')
        return re.sub(r"\b[0-9a-f]{32}\b", "ID", text)

    lower = {name.lower(): value for name, value in headers.items()}
    kept = {name: clean(lower[name.lower()]) for name in HEADERS if name.lower() in lower}
    if "Location" in kept:
        kept["Location"] = kept["Location"].replace("%40counter%40a", "@counter@a").replace("/%40", "/@")
    return status, kept, json.loads(clean(json.dumps(body, ensure_ascii=False)))


@pytest.mark.parametrize("scenario", ["hello", "sleeper", "wait-event", "entity", "purge-running", "wrong-hub"])
def test_the_answers_are_those_of_the_real_extension(peer: Child, scenario: str) -> None:
    if scenario == "entity":  # the recording's second entity was signalled by one that is left out
        peer.durable("POST", "entities/Counter/b?op=add", json=1)
    for exchange in exchanges(scenario):
        response = answered(peer, exchange, scenario)
        if scenario == "purge-running" and exchange["label"] == "start":
            peer.until("purged-1", "Running")
        if OWN_WORDS.search(exchange["label"]):
            assert response.status_code == exchange["status"], exchange["label"]
            continue
        found = comparable(response.status_code, dict(response.headers), without_stack(plain(response)))
        expected = comparable(exchange["status"], exchange["headers"], exchange["body"])
        assert found == expected, exchange["label"]


def without_stack(body: Any) -> Any:
    if not isinstance(body, dict) or "StackTrace" not in body:
        return body
    return {name: value for name, value in body.items() if name not in ("StackTrace", "Id")}


def test_failures_are_told_under_the_recorded_codes(peer: Child) -> None:
    for exchange in exchanges("failing"):
        response = answered(peer, exchange, "failing")
        assert response.status_code == exchange["status"], exchange["label"]
        if "status" in exchange["label"]:
            body = response.json()
            assert list(body) == list(exchange["body"])
            assert body["output"].startswith("Orchestrator function 'Failing' failed: ")
            assert "failing on purpose" in body["output"]


def test_odd_ids_are_taken_and_refused_as_recorded(peer: Child) -> None:
    for exchange in exchanges("odd-ids"):
        request = exchange["request"]
        if exchange["label"] == "start '..'" or re.search(r"get [0-9a-f]{32}$", exchange["label"]):
            continue  # `..` in a path is resolved by every client; the other id was made for a blank one
        if request["method"] == "POST" and exchange["status"] == 202:
            response = sent(peer, exchange, "odd-ids")
            assert response.status_code == 202, exchange["label"]
        elif request["path"].startswith(f"{WEBHOOKS}instances/"):
            response = answered(peer, exchange, "odd-ids")
            assert response.status_code == exchange["status"], exchange["label"]
