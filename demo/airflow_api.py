"""A small client of Airflow's REST API v2: trigger a DAG, follow its tasks, read what they logged and returned."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any

import httpx

from demo.airflow import Credentials

RUN_ENDS = {"success", "failed"}


class AirflowApiError(RuntimeError):
    """Airflow refused a call; the message has its status and its answer."""

    def __init__(self, call: str, response: httpx.Response) -> None:
        super().__init__(f"{call}: {response.status_code} {response.text[:1000]}")
        self.status = response.status_code


@dataclass(frozen=True)
class TaskState:
    """One task of a run, as Airflow shows it."""

    task_id: str
    state: str | None
    try_number: int
    started: datetime | None
    ended: datetime | None
    map_index: int

    @property
    def seconds(self) -> float | None:
        """How long it took, once it has ended."""
        return (self.ended - self.started).total_seconds() if self.started and self.ended else None


@dataclass(frozen=True)
class LogLine:
    """One line that a task logged."""

    time: str
    level: str
    text: str
    logger: str
    error: str
    """The message of the exception that the line tells of; empty when it tells of none."""


class AirflowApi:
    """An asynchronous context manager; signs in by itself."""

    def __init__(self, url: str, credentials: Credentials) -> None:
        self.url = url
        self._credentials = credentials
        self._client = httpx.AsyncClient(base_url=url, timeout=30)

    async def __aenter__(self) -> AirflowApi:
        body = {"username": self._credentials.username, "password": self._credentials.password}
        response = await self._client.post("/auth/token", json=body)
        if response.status_code != 201:
            raise AirflowApiError("sign in", response)
        self._client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def _call(self, method: str, path: str, **options: Any) -> Any:
        response = await self._client.request(method, f"/api/v2{path}", **options)
        if response.is_error:
            raise AirflowApiError(f"{method} {path}", response)
        return response.json()

    async def wait_for_dag(self, dag_id: str, timeout_seconds: float = 90) -> None:
        """Wait until the DAG processor has read the DAG, then unpause it."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                await self._call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})
                return
            except AirflowApiError as problem:
                if problem.status != 404:
                    raise
                errors = await self._call("GET", "/importErrors")
                if errors["import_errors"]:
                    raise RuntimeError(f"a DAG file does not import: {errors['import_errors']}") from problem
                if time.monotonic() > deadline:
                    raise TimeoutError(f"Airflow has not read the DAG {dag_id} in {timeout_seconds:.0f} s") from problem
            await asyncio.sleep(1)

    async def trigger(self, dag_id: str, conf: Mapping[str, object]) -> str:
        """Start a run with the form's parameters and return its id; raises AirflowApiError (400) on bad ones."""
        run = await self._call("POST", f"/dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": dict(conf)})
        return str(run["dag_run_id"])

    async def active_runs(self, dag_id: str) -> list[str]:
        """Return the ids of the runs that are queued or running."""
        found = await self._call("GET", f"/dags/{dag_id}/dagRuns", params={"state": ["queued", "running"]})
        return [run["dag_run_id"] for run in found["dag_runs"]]

    async def run_state(self, dag_id: str, run_id: str) -> str:
        """Return `queued`, `running`, `success` or `failed`."""
        return str((await self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))["state"])

    async def run_seconds(self, dag_id: str, run_id: str) -> float:
        """Return how long a run that has ended took, from its start."""
        run = await self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
        return (_moment(run["end_date"]) - _moment(run["start_date"])).total_seconds()  # type: ignore[operator]

    async def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Return the tasks of a run in the order in which they started."""
        found = await self._call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", params={"limit": 100})
        states = [
            TaskState(
                task["task_id"],
                task["state"],
                task["try_number"],
                _moment(task["start_date"]),
                _moment(task["end_date"]),
                task["map_index"],
            )
            for task in found["task_instances"]
        ]
        return sorted(states, key=lambda task: (task.started is None, task.started, task.task_id))

    async def log(self, dag_id: str, run_id: str, task: TaskState) -> list[LogLine]:
        """Return what a task has logged on its latest try; empty while there is none to read."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{max(task.try_number, 1)}"
        try:
            found = await self._call(
                "GET", path, params={"map_index": task.map_index}, headers={"Accept": "application/json"}
            )
        except AirflowApiError as problem:
            if problem.status == 404:
                return []
            raise
        return [_log_line(line) for line in found["content"] if isinstance(line, dict) and "event" in line]

    async def result(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return what a task returned (its XCom), None when it returned nothing."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        try:
            return (await self._call("GET", path, params={"deserialize": "true"}))["value"]
        except AirflowApiError as problem:
            if problem.status == 404:
                return None
            raise

    async def answer(self, dag_id: str, run_id: str, task: TaskState, option: str) -> None:
        """Answer a task that waits for a person, e.g. with `Approve`."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/{task.map_index}/hitlDetails"
        await self._call("PATCH", path, json={"chosen_options": [option], "params_input": {}})

    def run_link(self, dag_id: str, run_id: str) -> str:
        """Return the address of a run in the UI."""
        return f"{self.url}/dags/{dag_id}/runs/{run_id}"


def _log_line(line: Mapping[str, Any]) -> LogLine:
    details = line.get("error_detail") or [{}]
    return LogLine(
        time=str(line.get("timestamp")),
        level=str(line.get("level", "")),
        text=str(line["event"]),
        logger=str(line.get("logger", "")),
        error=str(details[0].get("exc_value", "")),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
