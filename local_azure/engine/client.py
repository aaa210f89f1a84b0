"""The client side of a hub: start, ask, signal, end, purge."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType

from local_azure.engine import requests
from local_azure.engine.code import EntityId, HistoryEvent
from local_azure.engine.errors import (
    BadContinuationToken,
    HistoryUnreadable,
    InstanceAlreadyExists,
    InstanceNotFound,
    InstanceNotRunning,
    NotRewindable,
    NotTerminal,
)
from local_azure.engine.filters import ENTITY_PREFIX, instance_filter
from local_azure.engine.history import Event, EventKind, make, to_code
from local_azure.engine.instances import EntityPage, EntityState, InstanceFilter, InstancePage, InstanceState, Status
from local_azure.engine.messages import Message
from local_azure.engine.names import check_instance_id
from local_azure.engine.parts import HubParts
from local_azure.engine.rewinding import undo_failures
from local_azure.engine.sending import new_execution_id
from local_azure.engine.settings import HubSettings
from local_azure.engine.table_client import Row
from local_azure.engine.times import utcnow
from local_azure.engine.tokens import decode_token, encode_token
from local_azure.engine.wire import ExchangeHook, StorageError

_WITHOUT_PAYLOADS = [
    "PartitionKey",
    "RowKey",
    "ExecutionId",
    "Name",
    "Version",
    "CustomStatus",
    "CreatedTime",
    "LastUpdatedTime",
    "CompletedTime",
    "RuntimeStatus",
    "TaskHubName",
    "ScheduledStartTime",
    "Generation",
    "Tags",
]
_NUMBERED_CALLS = (EventKind.TaskScheduled, EventKind.SubOrchestrationInstanceCreated)
_PURGEABLE = (Status.COMPLETED, Status.TERMINATED, Status.CANCELED, Status.FAILED)


class TaskHub:
    """Client of one task hub: starts, asks, signals. The hub is made on the first touch, reading included.

    Use it as an async context manager, or call `close`. Errors are those of `errors.py`.
    """

    def __init__(self, settings: HubSettings, *, on_exchange: ExchangeHook | None = None) -> None:
        self.settings = settings
        self._on_exchange = on_exchange
        self._opened: HubParts | None = None

    async def __aenter__(self) -> TaskHub:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    async def _parts(self) -> HubParts:
        if self._opened is None:
            self._opened = HubParts(self.settings, self._on_exchange)
        await self._opened.storage.ensure_hub()
        return self._opened

    # --- starting ----------------------------------------------------------------------------------------------

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
        parts = await self._parts()
        wanted = check_instance_id(instance_id) if instance_id else uuid.uuid4().hex
        existing = await parts.instances.row(wanted) if instance_id else None
        if existing is not None and not Status.parse(existing.get("RuntimeStatus")).is_terminal:
            raise InstanceAlreadyExists(
                f"expected no live orchestration with id {wanted!r}, found one that is "
                f"{existing.get('RuntimeStatus')}: use another id, or end that one first"
            )
        execution_id = new_execution_id()
        started = make(
            EventKind.ExecutionStarted,
            Name=name,
            Version=version if version is not None else self.settings.default_version,
            Input=input_json,
            ScheduledStartTime=start_at,
            Generation=(existing.get("Generation") or 0) + 1 if existing is not None else 0,
            GenerateNewTrace=False,
            OrchestrationInstance={"InstanceId": wanted, "ExecutionId": execution_id},
        )
        # The message first and the row after: a start that is accepted is in the queue before it is in the table.
        delay = int((start_at - utcnow()).total_seconds()) if start_at is not None else 0
        url = await parts.queues.put_to_instance(Message(started, wanted, execution_id), hidden_seconds=delay)
        await parts.instances.put_pending(started, url, existing["etag"] if existing is not None else None)
        return wanted

    async def restart(self, instance_id: str, *, new_instance_id: bool = True) -> str:
        """Start the same orchestration with the same input; returns the id. Raises InstanceNotFound and as start."""
        state = await self.get(instance_id)
        if state is None:
            raise InstanceNotFound(f"expected an instance {instance_id!r} to restart, found none")
        return await self.start(
            state.name,
            state.input,
            instance_id=None if new_instance_id else instance_id,
            version=state.version,
        )

    # --- asking ------------------------------------------------------------------------------------------------

    async def get(
        self, instance_id: str, *, fetch_input: bool = True, fetch_output: bool = True
    ) -> InstanceState | None:
        """Read one instance; None when there is none."""
        parts = await self._parts()
        row = await parts.instances.row(instance_id)
        if row is None:
            return None
        return await parts.instances.to_state(row, fetch_input=fetch_input, fetch_output=fetch_output)

    async def history(self, instance_id: str) -> list[HistoryEvent]:
        """Read the instance's history, events in the form of `code.HistoryEvent` (`EventType` a number).

        Raises HistoryUnreadable where the real engine's API fails: when a divergence has left two calls of one number.
        """
        parts = await self._parts()
        stored = await parts.history.load(instance_id)
        calls = [(event.kind, event.event_id) for event in stored.events if event.kind in _NUMBERED_CALLS]
        if len(calls) != len(set(calls)):
            raise HistoryUnreadable(
                f"expected each call in the history of {instance_id!r} to have a number of its own, found a number "
                f"twice, as a change of code under a running instance leaves it"
            )
        return [to_code(event) for event in stored.events]

    async def query(
        self, condition: InstanceFilter, *, top: int = 100, continuation_token: str | None = None
    ) -> InstancePage:
        """Read one page of instances. Raises BadContinuationToken."""
        parts = await self._parts()
        rows, token = await self._page(instance_filter(condition), condition, top, continuation_token)
        states = [
            await parts.instances.to_state(row, fetch_input=condition.fetch_input, fetch_output=condition.fetch_output)
            for row in rows
        ]
        return InstancePage(tuple(states), token)

    async def _page(
        self, text: str | None, condition: InstanceFilter, top: int, token: str | None
    ) -> tuple[list[Row], str | None]:
        parts = await self._parts()
        select = None
        if not (condition.fetch_input and condition.fetch_output):
            select = list(_WITHOUT_PAYLOADS)
            select += ["Input"] if condition.fetch_input else []
            select += ["Output"] if condition.fetch_output else []
        try:
            rows, following = await parts.instances.page(text, select, top, decode_token(token))
        except StorageError as error:
            if token is None or error.status != 400:
                raise
            raise BadContinuationToken("expected a token that an earlier page gave, found another") from error
        return rows, encode_token(following)

    # --- signalling --------------------------------------------------------------------------------------------

    async def _live(self, instance_id: str, what: str) -> InstanceState:
        state = await self.get(instance_id, fetch_input=False, fetch_output=False)
        if state is None:
            raise InstanceNotFound(f"expected an instance {instance_id!r} to {what}, found none")
        if state.status.is_terminal:
            raise InstanceNotRunning(
                f"expected a live instance {instance_id!r} to {what}, found it {state.status.value}"
            )
        return state

    async def _send(self, instance_id: str, event: Event, *, hidden_seconds: int = 0) -> None:
        parts = await self._parts()
        await parts.queues.put_to_instance(Message(event, instance_id, None), hidden_seconds=hidden_seconds)

    async def raise_event(self, instance_id: str, event_name: str, input_json: str | None) -> None:
        """Send an external event. Raises InstanceNotFound, InstanceNotRunning."""
        await self._live(instance_id, "send an event to")
        await self._send(instance_id, make(EventKind.EventRaised, Name=event_name, Input=input_json))

    async def terminate(self, instance_id: str, reason: str | None) -> None:
        """Ask the instance to end. Raises InstanceNotFound, InstanceNotRunning."""
        await self._live(instance_id, "terminate")
        await self._send(instance_id, make(EventKind.ExecutionTerminated, Input=reason))

    async def suspend(self, instance_id: str, reason: str | None) -> None:
        """Ask the instance to pause. Raises InstanceNotFound, InstanceNotRunning."""
        await self._live(instance_id, "suspend")
        await self._send(instance_id, make(EventKind.ExecutionSuspended, Reason=reason))

    async def resume(self, instance_id: str, reason: str | None) -> None:
        """Ask the instance to go on. Raises InstanceNotFound, InstanceNotRunning."""
        await self._live(instance_id, "resume")
        await self._send(instance_id, make(EventKind.ExecutionResumed, Reason=reason))

    # --- undoing a failure -------------------------------------------------------------------------------------

    async def rewind(self, instance_id: str, reason: str | None) -> None:
        """Undo the failure and try again. Raises InstanceNotFound, NotRewindable."""
        state = await self.get(instance_id, fetch_input=False, fetch_output=False)
        if state is None:
            raise InstanceNotFound(f"expected an instance {instance_id!r} to rewind, found none")
        if state.status is not Status.FAILED:
            raise NotRewindable(f"expected a failed instance {instance_id!r} to rewind, found it {state.status.value}")
        for leaf in await undo_failures(await self._parts(), instance_id):
            await self._send(leaf, make(EventKind.GenericEvent, Data=reason))

    # --- purging -----------------------------------------------------------------------------------------------

    async def purge(self, instance_id: str) -> bool:
        """Delete the rows and blobs of an ended instance; False when there is none. Raises NotTerminal."""
        parts = await self._parts()
        row = await parts.instances.row(instance_id)
        if row is None:
            return False
        status = Status.parse(row.get("RuntimeStatus"))
        if not status.is_terminal and EntityId.parse(instance_id) is None:
            raise NotTerminal(f"expected an ended instance {instance_id!r} to purge, found it {status.value}")
        await parts.instances.delete(instance_id)
        await parts.history.delete(instance_id)
        return True

    async def purge_by_filter(
        self, created_from: datetime, created_to: datetime | None, statuses: Sequence[Status] = ()
    ) -> int:
        """Delete ended instances; returns how many."""
        wanted = [status for status in statuses if status in _PURGEABLE] or list(_PURGEABLE)
        condition = InstanceFilter(
            statuses=wanted, created_from=created_from, created_to=created_to, fetch_input=False, fetch_output=False
        )
        doomed: list[str] = []
        token: str | None = None
        while True:
            page = await self.query(condition, top=1000, continuation_token=token)
            doomed += [state.instance_id for state in page.instances]
            token = page.continuation_token
            if token is None:
                break
        return sum([await self.purge(instance_id) for instance_id in doomed])

    # --- entities ----------------------------------------------------------------------------------------------

    async def signal_entity(
        self, entity: EntityId, operation: str, input_json: str | None = None, *, scheduled_time: datetime | None = None
    ) -> None:
        """Send a one-way operation to an entity."""
        text = requests.from_client(operation, input_json, scheduled_time)
        delay = int((scheduled_time - utcnow()).total_seconds()) if scheduled_time is not None else 0
        event = make(EventKind.EventRaised, Name=requests.event_name(scheduled_time), Input=text)
        await self._send(entity.instance_id, event, hidden_seconds=delay)

    async def read_entity(self, entity: EntityId) -> EntityState | None:
        """Read an entity's state; None when it does not exist."""
        state = await self.get(entity.instance_id, fetch_output=False)
        found = None if state is None else _entity(state)
        return found if found is not None and found.exists else None

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
        prefix = f"{ENTITY_PREFIX}{name.lower()}@" if name else ENTITY_PREFIX
        condition = InstanceFilter(
            created_from=last_operation_from, created_to=last_operation_to, id_prefix=prefix, fetch_output=False
        )
        page = await self.query(condition, top=top, continuation_token=continuation_token)
        found = [entity for entity in map(_entity, page.instances) if entity is not None and entity.exists]
        if not fetch_state:
            found = [EntityState(e.name, e.key, None, e.exists, e.last_operation_time) for e in found]
        return EntityPage(tuple(found), page.continuation_token)


def _entity(state: InstanceState) -> EntityState | None:
    entity = EntityId.parse(state.instance_id)
    if entity is None:
        return None
    body = json.loads(state.input) if state.input else {}
    return EntityState(entity.name, entity.key, body.get("state"), bool(body.get("exists")), state.last_updated_time)
