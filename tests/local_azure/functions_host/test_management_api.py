"""The management API: status codes, headers, bodies, paging, filters and oddities, as recorded from the real one."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from .child import Child

OPERATIONS = ("terminate", "suspend", "resume", "raiseEvent/go", "rewind")


@pytest.fixture(scope="module")
def ended(everything: Child) -> str:
    """An instance that has completed."""
    instance = everything.begin("fan_out", {"n": 1}, "api-ended")
    everything.until(instance)
    return instance


@pytest.fixture(scope="module")
def sleeping(everything: Child) -> str:
    """An instance that waits for an hour."""
    instance = everything.begin("sleeper", {"seconds": 3600}, "api-sleeping")
    everything.until(instance, "Running")
    return instance


def post(host: Child, path: str, **arguments: Any) -> httpx.Response:
    if "raiseEvent" in path:
        arguments.setdefault("json", {})
    return host.durable("POST", path, **arguments)


def test_it_wants_the_system_or_the_master_key(everything: Child) -> None:
    path = "/runtime/webhooks/durabletask/instances"
    assert everything.call("GET", path).status_code == 401
    keys = everything.admin("host/keys")
    assert everything.call("GET", path, params={"code": keys["functionKeys"]["default"]}).status_code == 401
    for key in (keys["masterKey"], keys["systemKeys"]["durabletask_extension"]):
        assert everything.call("GET", path, params={"code": key}).status_code == 200


def test_a_start_answers_202_with_urls_that_hold_hub_connection_and_key(everything: Child) -> None:
    response = everything.durable("POST", "orchestrators/fan_out/with%20space", json={"n": 1})
    assert response.status_code == 202
    assert response.headers["retry-after"] == "10"
    body = response.json()
    assert list(body) == [
        "id",
        "statusQueryGetUri",
        "sendEventPostUri",
        "terminatePostUri",
        "purgeHistoryDeleteUri",
        "restartPostUri",
        "suspendPostUri",
        "resumePostUri",
    ]
    assert body["id"] == "with space"
    base = f"{everything.base}/runtime/webhooks/durabletask/instances/with+space"
    code = everything.system_key.replace("=", "%3D")
    assert body["statusQueryGetUri"] == f"{base}?taskHub=HostShared&connection=HubStorage&code={code}"
    assert response.headers["location"] == body["statusQueryGetUri"]
    assert everything.until("with%20space")["instanceId"] == "with space"
    assert httpx.get(body["statusQueryGetUri"]).json()["output"] == {"sum": 0}


def test_the_front_doors_address_stands_in_the_urls(everything: Child) -> None:
    headers = {"x-forwarded-host": "front.example", "x-forwarded-proto": "https"}
    body = everything.durable("POST", "orchestrators/fan_out", json={"n": 1}, headers=headers).json()
    assert body["statusQueryGetUri"].startswith("https://front.example/runtime/webhooks/durabletask/instances/")


def test_a_start_can_wait_for_the_output(everything: Child) -> None:
    waited = everything.durable("POST", "orchestrators/fan_out?timeout=20&pollingInterval=0.1", json={"n": 3})
    assert (waited.status_code, waited.json()) == (200, {"sum": 6})
    in_vain = everything.durable("POST", "orchestrators/sleeper?timeout=0.3&pollingInterval=0.1", json={"seconds": 60})
    assert in_vain.status_code == 202
    assert "statusQueryGetUri" in in_vain.json()


def test_a_start_with_bad_json_or_a_bad_id_is_400(everything: Child) -> None:
    assert everything.durable("POST", "orchestrators/fan_out", content=b"{").status_code == 400
    assert everything.durable("POST", "orchestrators/fan_out/@counter@fake", json=1).status_code == 400


def test_starting_a_living_id_is_409(everything: Child, sleeping: str) -> None:
    response = everything.durable("POST", f"orchestrators/sleeper/{sleeping}", json={"seconds": 1})
    assert response.status_code == 409
    assert "An Orchestration instance with the status Running already exists." in response.text


def test_the_status_of_a_living_instance_is_202_with_location(everything: Child, sleeping: str) -> None:
    response = everything.durable("GET", f"instances/{sleeping}")
    assert response.status_code == 202
    assert response.headers["retry-after"] == "5"
    assert response.headers["location"] == f"{everything.base}/runtime/webhooks/durabletask/instances/{sleeping}"
    body = response.json()
    assert list(body) == [
        "name",
        "instanceId",
        "runtimeStatus",
        "input",
        "customStatus",
        "output",
        "createdTime",
        "lastUpdatedTime",
    ]
    assert (body["name"], body["runtimeStatus"], body["output"]) == ("sleeper", "Running", None)
    assert len(body["createdTime"]) == len("2026-11-21T19:38:57Z")


def test_the_status_of_an_ended_instance_is_200_and_its_input_can_be_hidden(everything: Child, ended: str) -> None:
    assert everything.durable("GET", f"instances/{ended}").status_code == 200
    assert everything.durable("GET", f"instances/{ended}?showInput=false").json()["input"] is None


def test_the_history_shows_results_with_their_calls(everything: Child, ended: str) -> None:
    events = everything.durable("GET", f"instances/{ended}?showHistory=true&showHistoryOutput=true").json()[
        "historyEvents"
    ]
    assert [event["EventType"] for event in events] == ["ExecutionStarted", "TaskCompleted", "ExecutionCompleted"]
    assert (events[0]["FunctionName"], events[1]["FunctionName"], events[1]["Result"]) == ("fan_out", "double", 0)
    assert (events[2]["OrchestrationStatus"], events[2]["Result"]) == ("Completed", {"sum": 0})
    without = everything.durable("GET", f"instances/{ended}?showHistory=true").json()["historyEvents"]
    assert "Result" not in without[1]


def test_a_failed_one_is_500_when_asked_so(everything: Child) -> None:
    instance = everything.begin("failing", "x")
    everything.until(instance)
    assert everything.durable("GET", f"instances/{instance}").status_code == 200
    asked = f"instances/{instance}?returnInternalServerErrorOnFailure=true"
    assert everything.durable("GET", asked).status_code == 500


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations_on_an_unknown_instance_are_404(everything: Child, operation: str) -> None:
    assert post(everything, f"instances/nobody/{operation}").status_code == 404


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations_on_an_ended_instance_are_410_and_a_rewind_412(
    everything: Child, ended: str, operation: str
) -> None:
    response = post(everything, f"instances/{ended}/{operation}")
    assert response.status_code == (412 if operation == "rewind" else 410)
    if operation == "rewind":
        assert response.json() == (
            'This orchestration has status Completed, but only orchestrations in the "Failed" state can be rewound.'
        )


def test_a_restart_of_an_unknown_instance_is_400(everything: Child) -> None:
    response = post(everything, "instances/nobody/restart")
    assert response.status_code == 400
    assert response.json()["Message"] == "InstanceId does not match a valid orchestration instance."


def test_a_restart_starts_it_anew_with_the_same_input(everything: Child, ended: str) -> None:
    fresh = post(everything, f"instances/{ended}/restart")
    assert fresh.status_code == 202
    assert fresh.json()["id"] != ended
    assert everything.until(fresh.json()["id"])["output"] == {"sum": 0}


def test_purge_of_unknown_ended_and_living_instances(everything: Child, sleeping: str) -> None:
    assert everything.durable("DELETE", "instances/nobody").status_code == 404
    instance = everything.begin("fan_out", {"n": 1})
    everything.until(instance)
    response = everything.durable("DELETE", f"instances/{instance}")
    assert (response.status_code, response.json()) == (200, {"instancesDeleted": 1})
    assert everything.durable("GET", f"instances/{instance}").status_code == 404
    living = everything.durable("DELETE", f"instances/{sleeping}")
    assert living.status_code == 412
    assert living.json() == (
        "Only orchestrations in a terminal state can be purged, but the orchestration with instance ID "
        f"{sleeping} has status Running"
    )


def test_an_event_must_be_json(everything: Child, sleeping: str) -> None:
    path = f"instances/{sleeping}/raiseEvent/go"
    plain = everything.durable("POST", path, content=b"1", headers={"content-type": "text/plain"})
    assert (plain.status_code, plain.json()) == (
        400,
        {"Message": "Only application/json request content is supported"},
    )
    broken = everything.durable("POST", path, content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 400
    assert post(everything, path).status_code == 202


def test_unknown_paths_and_verbs_are_404(everything: Child, ended: str) -> None:
    assert everything.durable("GET", "nonsense").status_code == 404
    assert everything.durable("PUT", f"instances/{ended}").status_code == 404
    assert everything.durable("POST", f"instances/{ended}/explode").status_code == 404
    assert everything.durable("GET", "makeprimary").status_code == 200


@pytest.fixture(scope="module")
def listed(everything: Child) -> list[str]:
    """Seven ended instances whose ids begin alike."""
    ids = [f"page-{number}" for number in range(7)]
    for instance in ids:
        everything.begin("fan_out", {"n": 1}, instance)
    for instance in ids:
        everything.until(instance)
    return ids


def test_pages_follow_each_other_by_token_and_the_last_ones_is_empty(everything: Child, listed: list[str]) -> None:
    found: list[str] = []
    token = ""
    for size in (3, 3, 1):
        response = everything.durable(
            "GET", "instances?instanceIdPrefix=page-&top=3", headers={"x-ms-continuation-token": token}
        )
        page = [item["instanceId"] for item in response.json()]
        assert len(page) == size
        found += page
        token = response.headers["x-ms-continuation-token"]
    assert token == ""
    assert found == listed


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("runtimeStatus=Completed", 7),
        ("runtimeStatus=Running,Pending", 0),
        ("runtimeStatus=Running,%20Completed", 7),
        ("runtimeStatus=1", 7),
        ("runtimeStatus=0", 0),
        ("runtimeStatus=Nope", 7),
        ("runtimeStatus=running", 7),
        ("top=x", 7),
        ("createdTimeFrom=2099-01-01T00:00:00Z", 0),
        ("createdTimeTo=2099-01-01T00:00:00.1234567Z", 7),
        ("createdTimeFrom=nonsense", 7),
    ],
)
def test_filters_and_what_is_ignored_of_them(everything: Child, listed: list[str], query: str, number: int) -> None:
    response = everything.durable("GET", f"instances?instanceIdPrefix=page-&showInput=false&{query}")
    assert response.status_code == 200
    assert len(response.json()) == number
    assert all(item["input"] is None for item in response.json())


def test_purge_by_filter_wants_a_beginning(everything: Child) -> None:
    response = everything.durable("DELETE", "instances?runtimeStatus=Completed")
    assert response.status_code == 400
    assert response.json() == "Please provide value for 'createdTimeFrom' parameter."
    assert everything.durable("DELETE", "instances?createdTimeFrom=2098-01-01T00:00:00Z").status_code == 404


def test_a_hub_that_is_asked_for_is_made(everything: Child) -> None:
    other = f"Wrong{time.time_ns()}"
    response = everything.durable("GET", f"instances?taskHub={other}")
    assert (response.status_code, response.json()) == (200, [])
    assert response.headers["x-ms-continuation-token"] == ""
    # What is purged there is counted there, and the app's own hub is left alone.
    started = everything.durable("POST", f"orchestrators/fan_out/elsewhere?taskHub={other}", json={"n": 1})
    assert f"taskHub={other}" in started.json()["statusQueryGetUri"]
    assert httpx.get(started.json()["statusQueryGetUri"]).json()["runtimeStatus"] == "Pending"
    assert everything.durable("GET", "instances/elsewhere").status_code == 404
    by_connection = everything.durable("GET", f"instances?taskHub={other}&connection=AzureWebJobsStorage")
    assert [item["instanceId"] for item in by_connection.json()] == ["elsewhere"]


def test_an_unknown_connection_is_500(everything: Child) -> None:
    response = everything.durable("GET", "instances?connection=Nope")
    assert response.status_code == 500
    body = response.json()
    assert body["Message"] == "Something went wrong while processing your request"
    assert body["ExceptionMessage"] == "Unable to resolve the Azure Storage connection named 'Nope'."


def test_entities_over_http(everything: Child) -> None:
    path = "entities/Counter/over-http"
    assert everything.durable("GET", path).status_code == 404
    assert everything.durable("POST", f"{path}?op=add", json="3").status_code == 202
    deadline = time.monotonic() + 20
    while everything.durable("GET", path).status_code == 404:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert everything.durable("GET", path).json() == 3
    assert everything.durable("GET", "entities/Counter/nobody").status_code == 404
    found = everything.durable("GET", "entities/Counter?fetchState=true").json()
    assert {"name": "counter", "key": "over-http"} in [item["entityId"] for item in found]
    instance = everything.durable("GET", "instances/%40counter%40over-http")
    assert (instance.status_code, instance.json()["runtimeStatus"]) == (202, "Running")
    assert everything.durable("DELETE", path).status_code == 202
