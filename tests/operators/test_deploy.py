"""Deploying to staging: last proof by the task itself, pushed once, verified, and only then marked."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

from zdd.core.release import Marker
from zdd.exceptions import Conflict, ReleaseFailed, Unknown
from zdd.hooks.deployment import Deployment, DeployStatus
from zdd.operators import deploy
from zdd.operators.deploy import DeployToSlotOperator

HOST_JSON = b'{"version": "2.0"}'
FUNCTION_JSON = '{"bindings": [{"type": "httpTrigger"}]}'


class FakeEndpoint:
    """DeploymentHook of one slot: a push is a success as soon as it is followed."""

    def __init__(self, apps) -> None:
        self.apps = apps
        self.pushed: list[str] = []
        self.ends_as = DeployStatus.SUCCESS
        self.deployed = HOST_JSON
        self.refuses = False
        self.dies_after_push = False
        self.found: Deployment | None = None

    def push(self, package: Path, *, message: str) -> str:
        if self.refuses:
            raise Conflict("another deployment runs")
        self.apps.calls.append("push")
        self.pushed.append(message)
        self.found = Deployment(f"d{len(self.pushed)}", DeployStatus.SUCCESS)
        if self.dies_after_push:
            raise Unknown("no answer")
        return self.found.id

    def find(self, message: str) -> Deployment | None:
        return self.found

    def status(self, deployment_id: str) -> Deployment:
        return Deployment(deployment_id, DeployStatus.SUCCESS)

    def follow(self, deployment_id: str, tell) -> Deployment:
        if self.ends_as is not DeployStatus.SUCCESS:
            raise ReleaseFailed(f"ended as {self.ends_as.name}")
        return Deployment(deployment_id, self.ends_as)


@pytest.fixture
def endpoint(world, monkeypatch):
    made = FakeEndpoint(world.apps)
    monkeypatch.setattr(deploy, "DeploymentHook", lambda *_: made)
    return made


@pytest.fixture
def package(world, tmp_path):
    path = tmp_path / "app.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("host.json", HOST_JSON)
        archive.writestr("start/function.json", FUNCTION_JSON)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    world.results["inspect_package"]["sha256"] = sha256
    world.mine = Marker(world.release_id, sha256, "2.0.0")
    return path


@pytest.fixture
def operator(world, endpoint, package):
    def make(*script: str):
        made = world.operator(
            DeployToSlotOperator,
            script or ("zero",),
            task_id="deploy",
            gate_task_ids=("terminate_staging", "wait_for_staging_to_drain"),
            package=str(package),
        )
        made.apps.host_json = lambda _name: endpoint.deployed
        return made

    return make


def marker(world) -> Marker | None:
    return Marker.of(world.apps.settings["staging"])


def test_it_proves_pushes_verifies_and_then_marks(world, operator, endpoint):
    result = operator().execute(world.context())
    assert world.apps.calls == ["push", "settings of staging"]
    assert marker(world) == world.mine
    assert result["deployed"] is True
    assert result["proof"]["hub"] == "hub=a storage=one"
    assert world.store.intent(world.key, world.release_id, "deploy").result == "done"


@pytest.mark.parametrize("word", ["busy", "unknown"])
def test_a_slot_that_has_work_again_or_cannot_be_read_is_not_overwritten(world, operator, endpoint, word):
    with pytest.raises(TaskDeferred) as paused:
        operator(word).execute(world.context())
    assert endpoint.pushed == []
    assert paused.value.trigger.slot == "staging"


def test_without_the_wait_before_it_nothing_is_deployed(world, operator, endpoint):
    world.results.pop("wait_for_staging_to_drain")
    with pytest.raises(AirflowFailException, match="without the wait"):
        operator().execute(world.context())
    assert endpoint.pushed == []


def test_running_again_leaves_a_marked_slot_alone(world, operator, endpoint):
    operator().execute(world.context())
    assert operator("busy").execute(world.context())["deployed"] is False
    assert len(endpoint.pushed) == 1


@pytest.mark.parametrize("dies_after_push", [False, True])
def test_a_retry_follows_the_deployment_that_was_pushed_before(world, operator, endpoint, monkeypatch, dies_after_push):
    endpoint.dies_after_push = dies_after_push
    if not dies_after_push:
        monkeypatch.setattr(endpoint, "follow", lambda *_: (_ for _ in ()).throw(Unknown("the worker dies")))
    with pytest.raises(Unknown):
        operator().execute(world.context())
    assert marker(world) is None
    endpoint.dies_after_push = False
    monkeypatch.undo()
    monkeypatch.setattr(deploy, "DeploymentHook", lambda *_: endpoint)
    operator("busy").execute(world.context())
    assert len(endpoint.pushed) == 1
    assert marker(world) == world.mine


def test_a_deployment_that_failed_sets_no_marker_and_may_be_pushed_again_after_a_new_proof(world, operator, endpoint):
    endpoint.ends_as = DeployStatus.PARTIAL
    with pytest.raises(AirflowFailException, match="PARTIAL"):
        operator().execute(world.context())
    assert marker(world) is None
    endpoint.ends_as = DeployStatus.SUCCESS
    again = operator()
    again.execute(world.context())
    assert again.scripted.looks == ["prove"]
    assert len(endpoint.pushed) == 2


def test_a_slot_that_holds_something_else_after_the_deployment_is_not_marked(world, operator, endpoint, monkeypatch):
    endpoint.deployed = b"{}"
    ticks = iter([0.0, 0.0, 1e6, 2e6, 3e6])
    monkeypatch.setattr(deploy, "time", SimpleNamespace(monotonic=lambda: next(ticks), sleep=lambda _s: None))
    with pytest.raises(AirflowFailException, match="something else"):
        operator().execute(world.context())
    assert marker(world) is None


def test_a_deployment_of_somebody_else_is_left_to_a_retry(world, operator, endpoint):
    endpoint.refuses = True
    with pytest.raises(Conflict):
        operator().execute(world.context())
    endpoint.refuses = False
    operator().execute(world.context())
    assert marker(world) == world.mine


def test_a_package_that_changed_since_it_was_inspected_is_refused(world, operator, endpoint, package):
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("more.txt", "x")
    with pytest.raises(AirflowFailException, match="has changed"):
        operator().execute(world.context())
    assert endpoint.pushed == []


def test_without_the_lock_nothing_is_pushed(world, operator, endpoint):
    world.store.unlock(world.key, "status_check_slot / run-1")
    with pytest.raises(Conflict):
        operator().execute(world.context())
    assert endpoint.pushed == []


def test_a_swap_preview_that_somebody_left_is_reset_before_the_push(world, operator, endpoint):
    world.apps.previews["staging"] = "production"
    operator().execute(world.context())
    assert world.apps.calls[:2] == ["reset of staging", "push"]


def test_other_settings_of_the_slot_survive_the_marker(world, operator):
    world.apps.settings["staging"]["OrdersTaskHub"] = "Blue"
    operator().execute(world.context())
    assert world.apps.settings["staging"]["OrdersTaskHub"] == "Blue"
