"""Verifying a slot: host, functions, marker and probe, until the time is over."""

from __future__ import annotations

from types import SimpleNamespace

import httpx
import pytest
from airflow.sdk.exceptions import AirflowFailException

from zdd.exceptions import Unknown
from zdd.hooks.slot_reader import HostStatus
from zdd.operators import verify
from zdd.operators.verify import VerifySlotOperator


@pytest.fixture
def operator(world, monkeypatch):
    world.stage()
    ticks = iter(range(0, 10_000, 20))
    monkeypatch.setattr(verify, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(VerifySlotOperator, "_sleep", staticmethod(lambda _s: None))

    def make(*states: str, **arguments):
        made = world.operator(VerifySlotOperator, task_id="verify", verify="staging", **arguments)
        found = list(states or ("Running",))

        def status(_name):
            state = found.pop(0) if len(found) > 1 else found[0]
            if state == "away":
                raise Unknown("no answer")
            return HostStatus(state, ("bad host.json",) if state == "Error" else ())

        made.apps.host_status = status
        return made

    return make


def test_a_host_that_runs_with_every_function_is_verified(world, operator):
    assert operator().execute(world.context())["functions"] == 2


def test_a_host_that_is_still_starting_or_away_is_waited_for(world, operator):
    assert operator("away", "Starting", "Running").execute(world.context())["functions"] == 2


@pytest.mark.parametrize(
    ("break_it", "named"),
    [
        (lambda world: world.apps.function_names["staging"].remove("approve"), "functions missing: approve"),
        (lambda world: world.apps.settings["staging"].clear(), "no release of ours"),
    ],
)
def test_what_is_missing_when_the_time_is_over_is_named(world, operator, break_it, named):
    made = operator()
    break_it(world)
    with pytest.raises(AirflowFailException, match=named):
        made.execute(world.context())


def test_a_host_in_error_is_reported_with_its_own_words(world, operator):
    with pytest.raises(AirflowFailException, match=r"host is Error bad host\.json"):
        operator("Error").execute(world.context())


def answer(status):
    return lambda url, timeout: httpx.Response(status, request=httpx.Request("GET", url))


def test_the_probe_path_must_answer(world, operator, monkeypatch):
    monkeypatch.setattr(httpx, "get", answer(503))
    with pytest.raises(AirflowFailException, match="/api/health answers 503"):
        operator(probe_path="/api/health").execute(world.context())


def test_the_probe_goes_to_the_host_that_the_site_names(world, operator, monkeypatch):
    asked = []
    monkeypatch.setattr(httpx, "get", lambda url, timeout: asked.append(url) or answer(200)(url, timeout))
    operator(probe_path="/api/health").execute(world.context())
    assert asked == ["http://app-staging.test/api/health"]


@pytest.mark.parametrize("path", ["api/health", "http://elsewhere/x"])
def test_a_probe_that_is_no_path_is_refused(world, operator, path):
    with pytest.raises(AirflowFailException, match="probe_path"):
        operator(probe_path=path).execute(world.context())
