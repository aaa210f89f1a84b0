"""Filters on the Instances table, written as the engine writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from local_azure.engine.instances import InstanceFilter
from local_azure.engine.names import escape_key, quote

ENTITY_PREFIX = "@"


def _moment(moment: datetime) -> str:
    return f"datetime'{moment.astimezone(UTC).strftime('%Y-%m-%dT%H:%M:%S.%f')}0Z'"


def _after(prefix: str) -> str:
    """The first text behind all that begin with a prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def instance_filter(condition: InstanceFilter) -> str | None:
    """The filter of a list; None when everything is asked for."""
    parts: list[str] = []
    if condition.created_from is not None:
        parts.append(f"CreatedTime ge {_moment(condition.created_from)}")
    if condition.created_to is not None:
        parts.append(f"CreatedTime le {_moment(condition.created_to)}")
    if condition.statuses:
        parts.append(" or ".join(f"RuntimeStatus eq {quote(status.value)}" for status in condition.statuses))
    if condition.task_hubs:
        parts.append(" or ".join(f"TaskHubName eq {quote(hub)}" for hub in condition.task_hubs))
    if condition.id_prefix:
        prefix = escape_key(condition.id_prefix)
        parts.append(f"PartitionKey ge {quote(prefix)}")
        parts.append(f"PartitionKey lt {quote(_after(prefix))}")
    elif condition.exclude_entities:
        # Hides every id with a leading @, as the real engine's own filter does.
        parts.append(f"PartitionKey lt {quote(ENTITY_PREFIX)} or PartitionKey ge {quote(_after(ENTITY_PREFIX))}")
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else " and ".join(f"({part})" for part in parts)
