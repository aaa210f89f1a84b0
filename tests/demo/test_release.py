"""How the demo reads a release: what it says of each task, and the moments at which it acts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from demo.airflow_api import AirflowApi, LogLine, TaskState
from demo.release import Watch, _Follower, line_for_people

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def line(text: str, logger: str = "airflow.task.operators.zdd.operators.swap.SwapSlots", error: str = "") -> LogLine:
    return LogLine("2026-03-01T00:00:00Z", "info", text, logger, error)


def test_the_last_line_of_our_own_is_for_people() -> None:
    said = [line("orders is locked"), line("orders is unlocked"), line("Pushing xcom", "task")]
    assert line_for_people(said) == "orders is unlocked"


def test_what_ended_a_task_is_said_before_anything_else() -> None:
    said = [line("Waiting"), line("Task failed with exception", "task", "The slots are\nnot fit")]
    assert line_for_people(said) == "The slots are not fit"


def test_a_task_that_said_nothing_is_quoted_with_nothing() -> None:
    assert line_for_people([line("::group::", "task")]) == ""


class FakeApi:
    """Gives the next state of one sensor at each look."""

    def __init__(self, states: list[str], said: dict[str, str]) -> None:
        self.states, self.said = states, said

    def task(self) -> TaskState:
        return TaskState("wait_for_staging_to_drain", self.states[0], 1, NOW, NOW + timedelta(seconds=9), -1)

    async def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        task = self.task()
        if len(self.states) > 1:
            self.states.pop(0)
        return [task]

    async def log(self, dag_id: str, run_id: str, task: TaskState) -> list[LogLine]:
        return [line(self.said[task.state or ""])]


async def test_a_wait_is_told_once_at_its_start_and_its_reason_stands_in_the_summary() -> None:
    said = {"running": "", "deferred": "Waiting: 12 instances in flight", "success": "staging has drained"}
    told: list[Any] = []
    api = FakeApi(["running", "deferred", "deferred", "success"], said)
    watch = Watch(told.append, on_staging_wait=lambda: told.append("customers get their approvals"))
    follower = _Follower(cast(AirflowApi, api), "run", watch)

    for _ in range(3):
        await follower.look()
    steps = await follower.steps()

    assert told == [
        "  wait_for_staging_to_drain: Waiting: 12 instances in flight",
        "customers get their approvals",
        "  wait_for_staging_to_drain: success in 9.0 s. staging has drained",
    ]
    assert steps[0].said == "Waiting: 12 instances in flight\nstaging has drained"
