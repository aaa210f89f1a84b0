"""The part of a task's context that operators of zdd use, in memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class FakeTaskInstance:
    """Results and other XComs of the run's tasks."""

    def __init__(self, results: dict[str, Any], states: dict[str, str | None] | None = None) -> None:
        self.results = results
        self.pushed: dict[str, Any] = {}
        self.told: dict[tuple[str, str], Any] = {}
        self.states = states or {}

    def xcom_pull(self, *, task_ids: str, key: str = "return_value") -> Any:
        return self.results.get(task_ids) if key == "return_value" else self.told.get((task_ids, key))

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def get_task_states(self, *, dag_id: str, run_ids: list[str]) -> dict[str, Any]:
        return {run_ids[0]: dict(self.states)}


class FakeStateStore(dict[str, Any]):
    """`task_state_store`: survives retries."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value

    def delete(self, key: str) -> None:
        self.pop(key, None)


def task_context(results: dict[str, Any] | None = None, *, run_id: str = "run-1", **more: Any) -> Any:
    """A context with these results of earlier tasks."""
    return {
        "ti": FakeTaskInstance(results or {}, more.pop("states", None)),
        "dag_run": SimpleNamespace(dag_id="status_check_slot", run_id=run_id),
        "task_state_store": FakeStateStore(),
        **more,
    }
