"""Choosing what the nightly release brings, and every reason to bring nothing."""

from __future__ import annotations

import hashlib
import json
import zipfile
from datetime import UTC, datetime

import pytest
from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from zdd.core.release import Marker
from zdd.operators.nightly import ChoosePackageOperator


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "app.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("host.json", '{"version": "2.0"}')
        archive.writestr("start/function.json", '{"bindings": [{"type": "httpTrigger"}]}')
    return path


@pytest.fixture
def choose(world, package, monkeypatch):
    def make(*, variable=None, at=datetime(2026, 11, 21, 23, tzinfo=UTC), **arguments):
        text = json.dumps({"package": str(package), "version": "2.0.0"}) if variable is None else variable
        asked = []
        monkeypatch.setattr(Variable, "get", lambda name, default=None: asked.append(name) or text or default)
        window = {"window_from": "22:00", "window_to": "05:00", "time_zone": "UTC"} | arguments
        made = world.operator(ChoosePackageOperator, task_id="choose_package", **window)
        made.now = lambda: at
        made.asked = asked
        return made

    return make


def test_inside_the_window_it_takes_what_the_variable_names(world, choose, package):
    operator = choose()
    assert operator.execute(world.context()) == {
        "package": str(package),
        "version": "2.0.0",
        "window_end": "2026-11-22T05:00:00+00:00",
    }
    assert operator.asked == ["zdd_next_app"]


def test_outside_the_window_the_run_is_skipped_and_says_when_it_opens(world, choose):
    with pytest.raises(AirflowSkipException, match=r"outside the release window 22:00-05:00 UTC.*2026-11-21T22:00"):
        choose(at=datetime(2026, 11, 21, 12, tzinfo=UTC)).execute(world.context())


def test_the_window_follows_its_time_zone(world, choose):
    operator = choose(at=datetime(2026, 7, 1, 20, 30, tzinfo=UTC), time_zone="Europe/Berlin")
    assert operator.execute(world.context())["window_end"] == "2026-07-02T03:00:00+00:00"


def test_no_variable_is_nothing_to_release(world, choose):
    with pytest.raises(AirflowSkipException, match="nothing to release: Variable zdd_next_app is not set"):
        choose(variable="").execute(world.context())


def test_a_package_that_is_live_is_nothing_to_release(world, choose, package):
    sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
    world.apps.settings[None] |= Marker("an earlier release", sha256, "2.0.0").to_settings()
    context = world.context()
    with pytest.raises(AirflowSkipException, match=r"nothing to release: version 2\.0\.0 of app is live already"):
        choose().execute(context)
    assert "nothing to release" in context["ti"].pushed["reason"]


def test_a_package_that_was_rolled_back_is_not_tried_again_by_itself(world, choose, package):
    sha256 = hashlib.sha256(package.read_bytes()).hexdigest()
    world.store.record_release(world.key, "r-before", "rolled back", package_sha256=sha256)
    with pytest.raises(AirflowSkipException, match="rolled back in release r-before"):
        choose().execute(world.context())


@pytest.mark.parametrize("text", ["wasb://x/y.zip", "[]", '{"package": "x"}', '{"package": 1, "version": "2"}'])
def test_a_variable_of_another_form_is_refused_with_the_form(world, choose, text):
    with pytest.raises(AirflowFailException, match="zdd_next_app does not name a package"):
        choose(variable=text).execute(world.context())


@pytest.mark.parametrize("wrong", [{"window_from": "25:00"}, {"time_zone": "Mars/Olympus"}, {"window_from": "05:00"}])
def test_a_window_that_makes_no_sense_is_refused(world, choose, wrong):
    with pytest.raises(AirflowFailException):
        choose(**wrong).execute(world.context())
