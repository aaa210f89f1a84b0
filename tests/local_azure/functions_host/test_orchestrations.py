"""Orchestrations of the real SDK on a real host with real storage."""

from __future__ import annotations

import json
import time

import pytest

from .child import Child


def test_fan_out_with_a_custom_status(everything: Child) -> None:
    done = everything.until(everything.begin("fan_out", {"n": 5}))
    assert done["runtimeStatus"] == "Completed"
    assert done["output"] == {"sum": 20}
    assert done["customStatus"] == {"parts": 5}
    assert done["input"] == '{"n": 5}'  # the SDK's client hands over JSON text, and the extension keeps it as a string


def test_a_timer(everything: Child) -> None:
    assert everything.until(everything.begin("sleeper", {"seconds": 2}))["output"] == "woke"


def test_an_event_beats_the_timer(everything: Child) -> None:
    instance = everything.begin("approval")
    everything.until(instance, "Running")
    assert everything.durable("POST", f"instances/{instance}/raiseEvent/decision", json={"yes": 1}).status_code == 202
    assert everything.until(instance)["output"] == {"yes": 1}


def test_retries_go_on_until_the_activity_succeeds(everything: Child) -> None:
    assert everything.until(everything.begin("retrying"))["output"] == [3, 6]


def test_sub_orchestrations_with_and_without_ids(everything: Child) -> None:
    instance = everything.begin("parent", instance_id="family")
    assert everything.until(instance)["output"] == [{"child": 2}, {"child": 4}, {"child": 6}]
    assert everything.get("family-2")["output"] == {"child": 4}


def test_continue_as_new(everything: Child) -> None:
    assert everything.until(everything.begin("eternal", 1))["output"] == "round 3"


def test_a_failure_is_told_in_the_functions_words(everything: Child) -> None:
    done = everything.until(everything.begin("failing", "luck"))
    assert done["runtimeStatus"] == "Failed"
    assert done["output"].startswith("Orchestrator function 'failing' failed: Activity function 'fail' failed:")
    assert "ValueError: no luck" in done["output"]


def test_an_entity_is_called_and_signalled(everything: Child) -> None:
    done = everything.until(everything.begin("counting", "tally"))
    value, text = done["output"]
    assert value == 7
    assert "boom" in text
    assert everything.durable("GET", "entities/Counter/tally").json() == 7


def test_a_durable_http_call(everything: Child) -> None:
    done = everything.until(everything.begin("fetching", f"{everything.base}/api/url/there"))
    assert done["output"] == [200, f"POST {everything.base}/api/url/there there"]


def test_payloads_over_sixty_kilobytes(everything: Child) -> None:
    text = "ä" * 50_000
    done = everything.until(everything.begin("big", text))
    assert done["output"] == text + text


def test_wait_for_completion_gives_the_output(everything: Child) -> None:
    response = everything.call("POST", "/api/run/fan_out", json={"n": 3})
    assert (response.status_code, response.json()) == (200, {"sum": 6})


def test_an_unknown_orchestrator_fails_its_instance(everything: Child) -> None:
    done = everything.until(everything.begin("nobody"))
    assert done["runtimeStatus"] == "Failed"
    assert "The function 'nobody' doesn't exist, is disabled, or is not an orchestrator function" in done["output"]


def client(host: Child, call: str, instance: str, data: object = None) -> object:
    """One call of the SDK's own client, made inside a function of the app."""
    response = host.call("POST", f"/api/client/{call}/{instance}", content=json.dumps(data))
    assert response.status_code == 200, response.text
    return response.json()


def test_the_sdks_client_manages_instances(everything: Child) -> None:
    instance = everything.begin("approval", instance_id="managed")
    everything.until(instance, "Running")
    status = client(everything, "status", instance)
    assert isinstance(status, dict)
    assert status["runtimeStatus"] == "Running"
    client(everything, "suspend", instance, "pause")
    everything.until(instance, "Suspended")
    client(everything, "resume", instance, "go on")
    everything.until(instance, "Running")
    assert instance in client(everything, "list", "all")  # type: ignore[operator]
    client(everything, "event", instance, {"name": "decision", "data": "yes"})
    assert everything.until(instance)["output"] == '"yes"'  # two layers of JSON, as with the real extension
    assert client(everything, "purge", instance) == 1
    assert client(everything, "purge", instance) == 0


def test_the_sdks_client_terminates_and_signals(everything: Child) -> None:
    instance = everything.begin("sleeper", {"seconds": 3600})
    everything.until(instance, "Running")
    client(everything, "terminate", instance, "enough & more")
    done = everything.until(instance)
    assert (done["runtimeStatus"], done["output"]) == ("Terminated", "enough & more")
    client(everything, "signal", "signalled", {"op": "add", "data": 4})
    deadline = time.monotonic() + 20
    while (state := client(everything, "entity", "signalled")) == {"exists": False, "state": None}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert state == {"exists": True, "state": 4}


@pytest.mark.parametrize("number", [50])
def test_many_at_once(everything: Child, number: int) -> None:
    ids = [everything.begin("fan_out", {"n": 3}) for _ in range(number)]
    assert {everything.until(instance)["output"]["sum"] for instance in ids} == {6}
