"""What the Functions host calls: TaskHub, the client of one hub, and Worker, which runs its work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from types import TracebackType

from local_azure.engine.code import EntityId, FunctionCode, HistoryEvent
from local_azure.engine.instances import EntityPage, EntityState, InstanceFilter, InstancePage, InstanceState, Status
from local_azure.engine.settings import HubSettings


class TaskHub:
    """Client of one task hub: starts, asks, signals. The hub is made on the first touch, reading included.

    Use it as an async context manager, or call `close`. Errors are those of `errors.py`.
    """

    def __init__(self, settings: HubSettings) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> TaskHub:
        raise NotImplementedError

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        """Close the connections."""
        raise NotImplementedError

    async def start(
        self,
        name: str,
        input_json: str | None = None,
        *,
        instance_id: str | None = None,
        version: str | None = None,
        start_at: datetime | None = None,
    ) -> str:
        """Start an orchestration; returns its id. Without a version the hub's default version is given to it.

        Raises BadInstanceId, InstanceAlreadyExists.
        """
        raise NotImplementedError

    async def get(
        self, instance_id: str, *, fetch_input: bool = True, fetch_output: bool = True
    ) -> InstanceState | None:
        """Read one instance; None when there is none."""
        raise NotImplementedError

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read the instance's history, events in the form of `code.HistoryEvent` (`EventType` a number)."""
        raise NotImplementedError

    async def query(
        self, condition: InstanceFilter, *, top: int = 100, continuation_token: str | None = None
    ) -> InstancePage:
        """Read one page of instances. Raises BadContinuationToken."""
        raise NotImplementedError

    async def raise_event(self, instance_id: str, event_name: str, input_json: str | None) -> None:
        """Send an external event. Raises InstanceNotFound, InstanceNotRunning."""
        raise NotImplementedError

    async def terminate(self, instance_id: str, reason: str | None) -> None:
        """Ask the instance to end. Raises InstanceNotFound, InstanceNotRunning."""
        raise NotImplementedError

    async def suspend(self, instance_id: str, reason: str | None) -> None:
        """Ask the instance to pause. Raises InstanceNotFound, InstanceNotRunning."""
        raise NotImplementedError

    async def resume(self, instance_id: str, reason: str | None) -> None:
        """Ask the instance to go on. Raises InstanceNotFound, InstanceNotRunning."""
        raise NotImplementedError

    async def rewind(self, instance_id: str, reason: str | None) -> None:
        """Undo the failure and try again. Raises InstanceNotFound, NotRewindable."""
        raise NotImplementedError

    async def restart(self, instance_id: str, *, new_instance_id: bool = True) -> str:
        """Start the same orchestration with the same input; returns the id. Raises InstanceNotFound and as start."""
        raise NotImplementedError

    async def purge(self, instance_id: str) -> bool:
        """Delete the rows and blobs of an ended instance; False when there is none. Raises NotTerminal."""
        raise NotImplementedError

    async def purge_by_filter(
        self, created_from: datetime, created_to: datetime | None, statuses: Sequence[Status] = ()
    ) -> int:
        """Delete ended instances; returns how many."""
        raise NotImplementedError

    async def signal_entity(
        self, entity: EntityId, operation: str, input_json: str | None = None, *, scheduled_time: datetime | None = None
    ) -> None:
        """Send a one-way operation to an entity."""
        raise NotImplementedError

    async def read_entity(self, entity: EntityId) -> EntityState | None:
        """Read an entity's state; None when it does not exist."""
        raise NotImplementedError

    async def list_entities(
        self,
        name: str | None = None,
        *,
        last_operation_from: datetime | None = None,
        last_operation_to: datetime | None = None,
        fetch_state: bool = False,
        top: int = 100,
        continuation_token: str | None = None,
    ) -> EntityPage:
        """Read one page of entities."""
        raise NotImplementedError


class Worker:
    """Runs the work of one hub with the functions of one app: partitions, orchestrations, entities, activities."""

    def __init__(self, settings: HubSettings, code: FunctionCode) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Make the hub if need be and begin to work; returns when the loops run."""
        raise NotImplementedError

    async def stop(self, *, graceful: bool = True) -> None:
        """Stop: finish orchestrator turns and give the partitions back when graceful.

        Running activities are abandoned in both cases, their messages left to the visibility timeout.
        """
        raise NotImplementedError
