"""Which messages of an instance may be delivered now, which wait, which nobody wants any more. No storage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from local_azure.engine.code import EntityId
from local_azure.engine.history import Event, EventKind
from local_azure.engine.history_store import StoredHistory
from local_azure.engine.queues import Taken
from local_azure.engine.sending import new_execution_id
from local_azure.engine.settings import HubSettings
from local_azure.engine.versions import VersionDecision, decide

# A message for an instance without history gets the benefit of the doubt this often: its history may be on its way.
MAX_TRIES_WITHOUT_HISTORY = 5


@dataclass
class Sorted:
    """What to do with each message, and the execution to which `deliver` goes."""

    base: StoredHistory
    deliver: list[Taken] = field(default_factory=list)
    discard: list[Taken] = field(default_factory=list)
    give_back: list[Taken] = field(default_factory=list)


def sort(instance_id: str, batch: Sequence[Taken], stored: StoredHistory, settings: HubSettings) -> Sorted:
    """Sort a batch of messages of one instance."""
    ordered = sorted(batch, key=lambda taken: taken.order)
    if EntityId.parse(instance_id) is not None:
        return _sort_for_entity(ordered, stored)
    starts = [taken for taken in ordered if taken.message.kind is EventKind.ExecutionStarted]
    result = Sorted(stored)
    begun: Taken | None = None
    for taken in starts:
        if begun is None and may_start(taken.message.event, stored):
            begun = taken
            result.base = StoredHistory(taken.message.execution_id, [], stored.etag, stored.checkpoint_time)
            result.deliver.append(taken)
        else:
            result.discard.append(taken)
    others = [taken for taken in ordered if taken not in starts]
    for taken in others:
        _sort_one(taken, result, is_new=begun is not None)
    started = begun.message.event if begun is not None else stored.started
    if result.deliver and started is not None and decide(settings, started["Version"]) is VersionDecision.REJECT:
        result.give_back += result.deliver
        result.deliver = []
    return result


def _sort_for_entity(ordered: Sequence[Taken], stored: StoredHistory) -> Sorted:
    base = stored if stored.execution_id is not None else StoredHistory(new_execution_id())
    result = Sorted(base)
    for taken in ordered:
        wanted = taken.message.kind is EventKind.EventRaised
        (result.deliver if wanted else result.discard).append(taken)
    return result


def may_start(start: Event, stored: StoredHistory) -> bool:
    """Whether a start begins an execution, or repeats one that is known."""
    earlier = stored.started
    if earlier is None:
        return True
    if earlier["OrchestrationInstance"]["ExecutionId"] == start["OrchestrationInstance"]["ExecutionId"]:
        return False
    parent = start["ParentInstance"]
    if parent is None:
        return stored.completed is not None
    # A parent whose turn was repeated after a crash sends its start again under a new execution id. Any other start
    # of a parent replaces the child of this id, even a live one, as the real engine lets it.
    return bool(parent != earlier["ParentInstance"] or start["Name"] != earlier["Name"])


def _sort_one(taken: Taken, result: Sorted, *, is_new: bool) -> None:
    message, base = taken.message, result.base
    if base.started is None and not is_new:
        patient = message.execution_id is not None and taken.dequeue_count <= MAX_TRIES_WITHOUT_HISTORY
        (result.give_back if patient else result.discard).append(taken)
    elif base.completed is not None:
        result.discard.append(taken)
    elif message.execution_id is None:
        result.deliver.append(taken)
    elif message.execution_id != base.execution_id:
        # Of an older generation, or of one whose checkpoint is yet to be written.
        late = _came_before(message.event.timestamp, base) or taken.dequeue_count > MAX_TRIES_WITHOUT_HISTORY
        (result.discard if late else result.give_back).append(taken)
    elif _is_out_of_order(message.event, base):
        result.give_back.append(taken)
    else:
        result.deliver.append(taken)


def _came_before(moment: datetime, base: StoredHistory) -> bool:
    return base.checkpoint_time is not None and moment < base.checkpoint_time


def _is_out_of_order(event: Event, base: StoredHistory) -> bool:
    """Whether an answer came before the history that records its question."""
    if _came_before(event.timestamp, base):
        return False
    task_id = event["TaskScheduledId"] if event["TaskScheduledId"] is not None else event["TimerId"]
    if task_id is not None:
        return not any(known.event_id == task_id for known in base.events)
    if event.kind is EventKind.EventRaised:
        return not any(_asked(known, str(event["Name"])) for known in base.events)
    return False


def _asked(event: Event, request_id: str) -> bool:
    if event.kind is not EventKind.EventSent or not event["Input"]:
        return False
    try:
        body = json.loads(event["Input"])
    except json.JSONDecodeError:
        return False
    return isinstance(body, dict) and body.get("id") == request_id
