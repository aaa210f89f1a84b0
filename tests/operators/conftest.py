"""One release with fakes of the SDKs behind the real hooks: what operators decide, without Azure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from tests.support.fake_azure import ACCOUNT, FakeAzureHook, FakeTables, FakeWebApps
from tests.support.scripted_drain import Clock, ScriptedDrain
from tests.support.task_context import task_context
from zdd.core.gate import Watch
from zdd.core.release import Marker
from zdd.hooks.function_app import FunctionAppHook
from zdd.hooks.release_store import ReleaseStore, app_key
from zdd.operators import gate
from zdd.operators.release_store import release_id_of

OWNER = "status_check_slot / run-1"
SHA = "ab" * 32
HUB = "hub=a storage=one"


@dataclass
class World:
    """A function app, its store, and a run that holds its lock."""

    apps: FakeWebApps
    tables: FakeTables
    clock: Clock
    results: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = ReleaseStore(self.tables, self.clock)
        self.key = app_key(ACCOUNT.subscription_id, "group", "app")
        self.release_id = release_id_of(OWNER)
        self.mine = Marker(self.release_id, SHA, "2.0.0")
        self.results |= {
            "lock": self.take_lock(),
            "inspect_package": {"sha256": SHA, "version": "2.0.0", "function_names": ["start", "approve"]},
        }
        self.open_gate("wait_for_staging_to_drain")
        self.open_gate("wait_for_production_to_drain")

    def take_lock(self) -> dict[str, Any]:
        lock = self.store.lock(self.key, OWNER, expires_at=self.clock.now + timedelta(hours=9))
        return {"release_id": self.release_id, "app_key": self.key, "lock": lock.to_json()}

    def open_gate(self, task_id: str, outcome: str = "drained") -> None:
        """The wait before has ended a moment ago, with two zeros."""
        watch = Watch(binding=HUB)
        for seconds in (30, 15):
            began = self.clock.now - timedelta(seconds=seconds)
            watch = watch.observe(zero=True, began=began, memory=None)
        self.results[task_id] = {
            "outcome": outcome,
            "hub": HUB,
            "watch": watch.to_json(),
            "deadline": (self.clock.now + timedelta(minutes=30)).isoformat(),
        }

    def context(self, **more: Any) -> Any:
        return task_context(self.results, **more)

    def operator(self, kind: type, script: tuple[str, ...] = ("zero",), **arguments: Any) -> Any:
        """An operator with the fakes in place of its hooks."""
        made = kind(resource_group="group", app_name="app", slot_name="staging", **arguments)
        made.__dict__["azure"] = FakeAzureHook()
        client: Any = type("Client", (), {"web_apps": self.apps})()
        made.__dict__["apps"] = FunctionAppHook(made.azure, client)
        made.__dict__["store"] = self.store
        drain = ScriptedDrain(script, self.clock)
        made.__dict__["scripted"] = drain
        made.drain = lambda: drain
        return made

    def stage(self) -> None:
        """The package is in staging, deployed and marked."""
        self.apps.settings["staging"] |= self.mine.to_settings()
        self.apps.function_names["staging"] = ["start", "approve"]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    clock = Clock()
    monkeypatch.setattr(gate, "utcnow", clock)
    return World(FakeWebApps(), FakeTables(), clock)


@pytest.fixture
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    monkeypatch.setattr("time.sleep", lambda _s: None)
    return lambda _s: None
