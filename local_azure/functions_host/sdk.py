"""The app's orchestrators, activities and entities as the engine's FunctionCode."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Collection, Mapping
from typing import Any

from local_azure.engine.code import (
    ActivityCall,
    ActivityOutcome,
    EntityBatch,
    EntityOperation,
    EntityOperationResult,
    EntityOutcome,
    OrchestratorOutcome,
    OrchestratorTurn,
)

from . import builtin_http
from .payload import quoted, unquoted
from .python_app import Function, FunctionApp, Trigger
from .user_code import UserCode

ClientArguments = Callable[[Function], Mapping[str, str]]


class SdkCode:
    """FunctionCode over azure-functions-durable. Failures of user code are outcomes; anything else is raised."""

    def __init__(self, app: FunctionApp, user_code: UserCode, client_arguments: ClientArguments) -> None:
        self._user_code = user_code
        self._client_arguments = client_arguments
        self._orchestrators = _by_durable_name(app, Trigger.ORCHESTRATION)
        self._activities = _by_durable_name(app, Trigger.ACTIVITY)
        self._entities = {name.lower(): f for name, f in _by_durable_name(app, Trigger.ENTITY).items()}

    def orchestrators(self) -> Collection[str]:
        """Names of the orchestrator functions."""
        return self._orchestrators.keys()

    def activities(self) -> Collection[str]:
        """Names of the activity functions, the built-in one included."""
        return {*self._activities, builtin_http.HTTP_ACTIVITY}

    def entities(self) -> Collection[str]:
        """Lower-case names of the entity functions."""
        return self._entities.keys()

    async def run_orchestrator(self, turn: OrchestratorTurn) -> OrchestratorOutcome:
        """Replay the instance's history through the SDK."""
        from .orchestrator import replay

        handle = self._orchestrators[turn.name].call
        user_function = getattr(handle, "orchestrator_function", handle)
        return await self._user_code.replay(replay, turn, user_function, getattr(handle, "_df_input_type", None))

    async def run_activity(self, call: ActivityCall) -> ActivityOutcome:
        """Run an activity with the conversions of the SDK's own activity trigger."""
        from azure.functions._durable_functions import df_dumps, df_loads

        if call.name == builtin_http.HTTP_ACTIVITY:
            return await self._run_http(call)
        function = self._activities[call.name]
        try:
            text = unquoted(call.input)
            arguments: dict[str, Any] = {function.trigger["name"]: None if text is None else df_loads(text)}
            arguments |= self._client_arguments(function)
            result = await self._user_code.call(function.call, arguments)
            return ActivityOutcome(result=df_dumps(result))
        except Exception as error:  # noqa: BLE001 - a failure of user code is an outcome
            return _failed_activity(call.name, error)

    async def _run_http(self, call: ActivityCall) -> ActivityOutcome:
        try:
            return ActivityOutcome(result=await builtin_http.call(call.input))
        except Exception as error:  # noqa: BLE001 - a failure of user code is an outcome
            return _failed_activity(call.name, error)

    async def run_entity(self, batch: EntityBatch) -> EntityOutcome:
        """Run a batch of operations through the SDK's Entity."""
        handle = self._entities[batch.entity.name.lower()].call
        text = await self._user_code.replay(_run_batch, getattr(handle, "entity_function", handle), batch)
        outcome: dict[str, Any] = json.loads(text)
        exists = bool(outcome["entityExists"])
        return EntityOutcome(
            exists=exists,
            state=outcome["entityState"] if exists else None,
            results=[EntityOperationResult(item["result"], bool(item["isError"])) for item in outcome["results"]],
        )


def _by_durable_name(app: FunctionApp, trigger: Trigger) -> dict[str, Function]:
    return {f.durable_name: f for f in app.functions.values() if f.trigger_type == trigger}


def _failed_activity(name: str, error: BaseException) -> ActivityOutcome:
    stack = "".join(traceback.format_tb(error.__traceback__)[-3:])
    return ActivityOutcome(
        error=f"Activity function '{name}' failed: {type(error).__name__}: {error}",
        error_details=f"{type(error).__name__}: {error}\n{stack}",
    )


def _run_batch(user_function: Callable[..., Any], batch: EntityBatch) -> str:
    from azure.durable_functions.entity import Entity
    from azure.durable_functions.models.DurableEntityContext import DurableEntityContext

    context = DurableEntityContext(batch.entity.name, batch.entity.key, batch.exists, batch.state)
    context._state_is_raw = batch.state is not None
    return str(Entity(user_function).handle(context, [_operation(item) for item in batch.operations]))


def _operation(operation: EntityOperation) -> dict[str, Any]:
    # The SDK decodes the input twice, so it must have both layers.
    text = unquoted(operation.input)
    return {"name": operation.name, "input": "null" if text is None else quoted(text)}
