"""Drives a sample's orchestrator through the SDK's own Orchestrator, with histories made by hand.

`Rehearsal` plays the engine for one instance: it runs activities of the app at once, fires timers and raises events
when told to, and keeps the history in the form that the Functions host gives to the SDK.
"""

from __future__ import annotations

import importlib.util
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

from azure.durable_functions.models.DurableOrchestrationContext import DurableOrchestrationContext
from azure.durable_functions.models.history.HistoryEventType import HistoryEventType as Kind
from azure.durable_functions.orchestrator import Orchestrator

ORDERS = Path(__file__).resolve().parents[2] / "samples" / "orders"
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CALL_ACTIVITY, CALL_ACTIVITY_WITH_RETRY, CALL_SUB_ORCHESTRATOR = 0, 1, 2
CREATE_TIMER, WAIT_FOR_EXTERNAL_EVENT, SIGNAL_ENTITY = 5, 6, 9


def load(version_folder: str) -> ModuleType:
    path = ORDERS / version_folder / "function_app.py"
    spec = importlib.util.spec_from_file_location(f"orders_{version_folder}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class App:
    """One version of the app: its functions by name, and its trigger kinds."""

    def __init__(self, version_folder: str) -> None:
        self.functions: dict[str, Any] = {}
        self.triggers: dict[str, str] = {}
        self.arguments: dict[str, str] = {}
        for function in load(version_folder).app.get_functions():
            self.functions[function.get_function_name()] = function.get_user_function()
            self.triggers[function.get_function_name()] = function.get_trigger().type
            self.arguments[function.get_function_name()] = function.get_trigger().name

    def orchestrator(self, name: str) -> Any:
        return self.functions[name].orchestrator_function

    def run_activity(self, name: str, payload: Any) -> Any:
        return self.functions[name](**{self.arguments[name]: payload})


class Rehearsal:
    """One instance of one orchestrator."""

    def __init__(self, app: App, name: str, payload: Any) -> None:
        self.app, self.name, self.payload = app, name, payload
        self.now = START
        self.history: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self.open_timers: dict[int, dict[str, Any]] = {}
        self._turn([self._event(Kind.EXECUTION_STARTED, Name=name, Input=json.dumps(payload), Version="")])

    def raise_event(self, name: str, data: Any) -> None:
        self._turn([self._event(Kind.EVENT_RAISED, Name=name, Input=json.dumps(data))])

    def fire_timer(self, index: int) -> None:
        """Fire the open timer that was created as number `index` of those still open."""
        number = sorted(self.open_timers)[index]
        timer = self.open_timers.pop(number)
        self.now = datetime.fromisoformat(timer["fireAt"].replace("Z", "+00:00"))
        self._turn([self._event(Kind.TIMER_FIRED, TimerId=number, FireAt=timer["fireAt"])])

    def _event(self, kind: Kind, **fields: Any) -> dict[str, Any]:
        return {"EventType": int(kind), "EventId": -1, "IsPlayed": False, "Timestamp": self._stamp(), **fields}

    def _stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _turn(self, news: list[dict[str, Any]]) -> None:
        while news:
            self.history += [self._event(Kind.ORCHESTRATOR_STARTED), *news]
            self.state = run(self.app.orchestrator(self.name), self.history, self.payload)
            news = self._carry_out(flatten(self.state["actions"]))
            self.history.append(self._event(Kind.ORCHESTRATOR_COMPLETED))
            self.now += timedelta(seconds=1)

    def _carry_out(self, actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        fresh, answers = actions[len(self.actions) :], []
        # Ids are the SDK's: every action takes the next one.
        for number, action in enumerate(fresh, start=len(self.actions)):
            kind = action["actionType"]
            if kind in (CALL_ACTIVITY, CALL_ACTIVITY_WITH_RETRY):
                name, payload = action["functionName"], json.loads(action["input"])
                self.history.append(
                    self._event(Kind.TASK_SCHEDULED, Name=name, Input=action["input"]) | {"EventId": number}
                )
                result = json.dumps(self.app.run_activity(name, payload))
                answers.append(self._event(Kind.TASK_COMPLETED, TaskScheduledId=number, Result=result))
            elif kind == CREATE_TIMER:
                self.history.append(self._event(Kind.TIMER_CREATED, FireAt=action["fireAt"]) | {"EventId": number})
                self.open_timers[number] = action
            elif kind == CALL_SUB_ORCHESTRATOR:
                name, payload = action["functionName"], action["input"]
                payload = json.loads(payload) if isinstance(payload, str) else payload
                created = self._event(Kind.SUB_ORCHESTRATION_INSTANCE_CREATED, Name=name, InstanceId=f"child:{number}")
                self.history.append(created | {"EventId": number})
                child = Rehearsal(self.app, name, payload)
                while not child.state["isDone"]:
                    child.fire_timer(0)
                result = json.dumps(child.state["output"])
                answers.append(
                    self._event(Kind.SUB_ORCHESTRATION_INSTANCE_COMPLETED, TaskScheduledId=number, Result=result)
                )
            else:
                assert kind == SIGNAL_ENTITY, f"the rehearsal knows no action of kind {kind}"
        self.actions = actions
        return answers


def run(orchestrator: Any, history: list[dict[str, Any]], payload: Any) -> dict[str, Any]:
    """Replay `history` with the SDK and return the state that it reports to the host."""
    context = DurableOrchestrationContext(
        history=history,
        instanceId="instance",
        isReplaying=False,
        parentInstanceId=None,
        input=json.dumps(payload),
        upperSchemaVersion=2,
        maximumShortTimerDuration="6.00:00:00",
        longRunningTimerIntervalDuration="3.00:00:00",
    )
    state: dict[str, Any] = json.loads(Orchestrator(orchestrator).handle(context))
    return state


def flatten(actions: list[Any]) -> list[dict[str, Any]]:
    """Return the plain actions, in the order in which the orchestrator scheduled them; waits for events left out."""
    plain: list[dict[str, Any]] = []
    for action in actions:
        if isinstance(action, list):
            plain += flatten(action)
        elif "compoundActions" in action:
            plain += flatten(action["compoundActions"])
        elif action["actionType"] != WAIT_FOR_EXTERNAL_EVENT:
            plain.append(action)
    return plain
