"""Rewind: the events of a failure are marked as undone in the history, and the row is Pending again."""

from __future__ import annotations

from local_azure.engine.history import EventKind
from local_azure.engine.instances import Status
from local_azure.engine.names import SENTINEL
from local_azure.engine.parts import HubParts
from local_azure.engine.table_client import Row


async def undo_failures(parts: HubParts, instance_id: str) -> list[str]:
    """Mark the events of the failure as undone, children first; returns the instances that must be woken."""
    rows = [row async for row in parts.history.rows(instance_id)]
    execution_id = next((row["ExecutionId"] for row in rows if row["RowKey"] == SENTINEL), None)
    mine = [row for row in rows if row["RowKey"] != SENTINEL and row["ExecutionId"] == execution_id]
    leaves: list[str] = []

    def cause(row: Row, kind: EventKind) -> Row | None:
        wanted = row.get("TaskScheduledId")
        return next((r for r in mine if r["EventType"] == kind.name and r["EventId"] == wanted), None)

    for row in mine:
        kind = row["EventType"]
        if kind == EventKind.TaskFailed.name:
            scheduled = cause(row, EventKind.TaskScheduled)
            if scheduled is not None:
                await parts.history.turn_into_generic(scheduled)
            await parts.history.turn_into_generic(row)
        elif kind == EventKind.SubOrchestrationInstanceFailed.name:
            created = cause(row, EventKind.SubOrchestrationInstanceCreated)
            if created is not None:
                leaves += await undo_failures(parts, str(created["InstanceId"]))
            await parts.history.turn_into_generic(row)
        elif kind == EventKind.ExecutionCompleted.name and row.get("OrchestrationStatus") == Status.FAILED.value:
            await parts.history.turn_into_generic(row)
    await parts.instances.reopen(instance_id)
    return leaves or [instance_id]
