"""What survives the end of a host process, and what changed code does to running instances."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from local_azure.azurite import Azurite, Ports, free_ports

from .child import Child, copy_of
from .conftest import APPS

EVOLVING = """
import azure.durable_functions as df
import azure.functions as func
app = df.DFApp()

@app.activity_trigger(input_name="x")
def step_a(x: str) -> str: return "A" + x

@app.activity_trigger(input_name="x")
def step_x(x: str) -> str: return "X" + x

@app.orchestration_trigger(context_name="context")
def evolving(context):
    first = yield context.call_activity("STEP", "1")
    event = yield context.wait_for_external_event("go")
    return [first, event]
"""
HOST_JSON = (APPS / "everything" / "host.json").read_text()


def write(root: Path, step: str) -> Path:
    root.mkdir(exist_ok=True)
    (root / "host.json").write_text(HOST_JSON)
    (root / "function_app.py").write_text(EVOLVING.replace("STEP", step))
    return root


def test_changed_code_fails_a_running_instance_and_the_old_code_heals_it_not(azurite: str, tmp_path: Path) -> None:
    root = write(tmp_path / "app", "step_a")
    with Child(root, azurite, "HostChange", log=tmp_path / "log") as host:
        for instance in ("woken", "left-alone"):
            host.durable("POST", f"orchestrators/evolving/{instance}")
        for instance in ("woken", "left-alone"):
            host.until(instance, "Running")
            wait_for_activity(host, instance)
        host.stop()
        write(root, "step_x")
        host.start()
        host.durable("POST", "instances/woken/raiseEvent/go", json="now")
        failed = host.until("woken")
        assert failed["runtimeStatus"] == "Failed"
        assert failed["output"].startswith(
            "Non-Deterministic workflow detected: A previous execution of this orchestration scheduled an activity "
            "task with sequence number 0 named 'step_a', but the current orchestration replay instead scheduled an "
            "activity task named 'step_x' with this sequence number."
        )
        host.stop()
        write(root, "step_a")
        host.start()
        host.durable("POST", "instances/left-alone/raiseEvent/go", json="now")
        assert host.until("left-alone")["output"] == ["A1", "now"]
        assert host.get("woken")["runtimeStatus"] == "Failed"


def wait_for_activity(host: Child, instance: str) -> None:
    """Wait until the history has the first activity's result."""
    deadline = time.monotonic() + 20
    while "TaskCompleted" not in host.durable("GET", f"instances/{instance}?showHistory=true").text:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_fifty_running_orchestrations_survive_a_kill(azurite: str, tmp_path: Path) -> None:
    root = copy_of(APPS / "everything", tmp_path / "app")
    with Child(root, azurite, "HostKilled", log=tmp_path / "log") as host:
        ids = [f"long-{number:02}" for number in range(50)]
        at_once(lambda number: host.durable("POST", f"orchestrators/long_run/{ids[number]}", json=number))
        wait_for_number(host, "Running", 50)
        at_once(lambda number: host.durable("POST", f"instances/{ids[number]}/raiseEvent/go", json=1))
        running = host.durable("GET", "instances?runtimeStatus=Running&top=100&showInput=false").json()
        host.kill()
        assert len(running) > 10
        host.start()
        for number, instance in enumerate(ids):
            done = host.until(instance, timeout=60)
            assert (done["runtimeStatus"], done["output"]) == ("Completed", 2 * number + 6)


def at_once(call: Callable[[int], object]) -> None:
    """Make a call for each of the fifty, ten at a time."""
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(call, range(50)))


def wait_for_number(host: Child, status: str, number: int) -> None:
    """Wait until so many instances have this status."""
    deadline = time.monotonic() + 60
    while len(host.durable("GET", f"instances?runtimeStatus={status}&top=100&showInput=false").json()) < number:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_polite_stop_ends_within_five_seconds_and_leaves_the_work(azurite: str, tmp_path: Path) -> None:
    with Child(APPS / "everything", azurite, "HostPolite", log=tmp_path / "log") as host:
        instance = host.begin("sleeper", {"seconds": 2})
        host.until(instance, "Running")
        assert host.stop() < 5
        host.start()
        assert host.until(instance)["output"] == "woke"


def test_a_request_in_flight_ends_well_while_the_host_stops(azurite: str, tmp_path: Path) -> None:
    with (
        Child(APPS / "everything", azurite, "HostInFlight", log=tmp_path / "log") as host,
        ThreadPoolExecutor(1) as pool,
    ):
        request = pool.submit(host.call, "POST", "/api/slowly/1")
        time.sleep(0.4)
        host.stop()
        assert request.result().status_code == 202
        host.start()
        assert host.until("late")["output"] == {"sum": 2}


def test_keys_stay_with_the_slot_over_restarts_and_changes_of_content(azurite: str, tmp_path: Path) -> None:
    root = write(tmp_path / "app", "step_a")
    with Child(root, azurite, "HostKeys", log=tmp_path / "log") as host:
        before = host.admin("host/keys")
        host.stop()
        host.content = APPS / "everything"
        host.start()
        assert host.admin("host/keys") == before
    with Child(root, azurite, "HostKeys", log=tmp_path / "log", WEBSITE_SLOT_NAME="staging") as staging:
        assert staging.admin("host/keys") != before


def test_a_host_whose_storage_is_away_tries_until_it_is_back(tmp_path: Path) -> None:
    away = Azurite(ports=Ports(*free_ports(3)))
    with Child(APPS / "everything", away.connection_string, "HostAway", log=tmp_path / "log") as host:
        assert host.status()["state"] == "Error"
        assert host.call("POST", "/api/start/fan_out", json={"n": 1}).status_code == 503
        with away:
            deadline = time.monotonic() + 40
            while host.status()["state"] != "Running":
                assert time.monotonic() < deadline
                time.sleep(0.1)
            assert "errors" not in host.status()
            assert host.until(host.begin("fan_out", {"n": 2}))["output"] == {"sum": 2}
            host.stop()


def test_a_package_runs_from_its_zip(azurite: str, tmp_path: Path) -> None:
    package = Path(shutil.make_archive(str(tmp_path / "package"), "zip", APPS / "everything"))
    with Child(package, azurite, "HostZip", log=tmp_path / "log") as host:
        assert host.status()["state"] == "Running"
        assert host.call("GET", "/api/extra/7").text == "extra 7"
        assert host.until(host.begin("fan_out", {"n": 2}))["output"] == {"sum": 2}
