"""A task hub in memory, just large enough to drive the app's code turn by turn without storage."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

from local_azure.engine import code
from local_azure.functions_host.sdk import SdkCode

STARTED, COMPLETED = 12, 13


class Turns:
    """One orchestration: every action is carried out at once, and each result comes in a turn of its own."""

    def __init__(self, app: SdkCode, name: str, input_json: str | None, instance_id: str = "one") -> None:
        self.app = app
        self.name = name
        self.input = input_json
        self.instance_id = instance_id
        self.history: list[dict[str, Any]] = []
        self.done: set[int] = set()
        self.entities: dict[str, tuple[bool, str | None]] = {}
        self.actions: dict[int, code.Action] = {}
        self._clock = itertools.count(1)

    async def run(self) -> code.OrchestratorOutcome:
        """Turn until the orchestration ends or waits for something that only the test can bring."""
        new = [self._event(0, Name=self.name, Input=self.input, Version=None)]
        while True:
            outcome = await self.turn(new)
            new = []
            for action in outcome.actions:
                if action.id not in self.done and not outcome.completed:
                    self.done.add(action.id)
                    new += await self._carry_out(action)
            if outcome.completed or not new:
                return outcome

    async def turn(self, new: list[dict[str, Any]]) -> code.OrchestratorOutcome:
        """One replay over everything so far and the new events."""
        for event in self.history:
            event["IsPlayed"] = True
        before = len(self.history)
        self.history += [self._event(STARTED), *new]
        outcome = await self.app.run_orchestrator(
            code.OrchestratorTurn(
                self.name, self.instance_id, "execution", None, self.input, list(self.history), before
            )
        )
        self.actions = {action.id: action for action in outcome.actions}
        self.history.append(self._event(COMPLETED))
        return outcome

    def event(self, name: str, input_json: str) -> dict[str, Any]:
        """An external event."""
        return self._event(15, Name=name, Input=input_json)

    def _event(self, kind: int, event_id: int = -1, **fields: Any) -> dict[str, Any]:
        moment = datetime(2026, 1, 1, 0, 0, next(self._clock) % 60, tzinfo=UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
        return {"EventType": kind, "EventId": event_id, "IsPlayed": False, "Timestamp": stamp, **fields}

    async def _carry_out(self, action: code.Action) -> list[dict[str, Any]]:
        match action:
            case code.CallActivity():
                self.history.insert(-1, self._event(4, action.id, Name=action.name))
                call = code.ActivityCall(action.name, self.instance_id, "execution", action.id, action.input)
                result = await self.app.run_activity(call)
                if result.error is None:
                    return [self._event(5, TaskScheduledId=action.id, Result=result.result)]
                return [self._event(6, TaskScheduledId=action.id, Reason=result.error, Details=result.error_details)]
            case code.CreateTimer():
                self.history.insert(-1, self._event(10, action.id, FireAt=action.fire_at.isoformat()))
                return [self._event(11, TimerId=action.id, FireAt=action.fire_at.isoformat())]
            case code.CallSubOrchestrator():
                self.history.insert(-1, self._event(7, action.id, Name=action.name))
                child = await Turns(self.app, action.name, action.input, f"{self.instance_id}:{action.id}").run()
                return [self._event(8, TaskScheduledId=action.id, Result=child.output)]
            case code.SignalEntity() | code.CallEntity():
                return await self._operate(action)
            case _:
                raise AssertionError(action)

    async def _operate(self, action: code.SignalEntity | code.CallEntity) -> list[dict[str, Any]]:
        target, signal = action.entity.instance_id, isinstance(action, code.SignalEntity)
        request = f"request-{action.id}"
        self.history.insert(-1, self._event(14, action.id, InstanceId=target, Input=json.dumps({"id": request})))
        exists, state = self.entities.get(target, (False, None))
        operation = code.EntityOperation(action.operation, action.input, request, signal)
        outcome = await self.app.run_entity(code.EntityBatch(action.entity, exists, state, [operation]))
        self.entities[target] = (outcome.exists, outcome.state)
        if signal:
            return []
        answer: dict[str, Any] = {"result": outcome.results[0].result}
        if outcome.results[0].is_error:
            answer["exceptionType"] = "Error"
        return [self.event(request, json.dumps(answer))]
