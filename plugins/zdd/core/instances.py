"""Orchestration instances as the engine stores them: their statuses, entity ids and the escaping of table keys.

Sources: `OrchestrationStatus.cs` and `KeySanitation.cs` of the Durable Task Framework; the recorded films.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class RuntimeStatus(StrEnum):
    """The text of an instance row's RuntimeStatus; a text that the engine never wrote is UNKNOWN."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUSPENDED = "Suspended"
    CONTINUED_AS_NEW = "ContinuedAsNew"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    TERMINATED = "Terminated"
    UNKNOWN = "Unknown"

    @classmethod
    def parse(cls, text: str | None) -> RuntimeStatus:
        """The status that this text names, UNKNOWN for any other."""
        try:
            return cls(text or "")
        except ValueError:
            return cls.UNKNOWN

    @property
    def is_live(self) -> bool:
        """Whether an instance in this status is in flight. What cannot be read is taken for alive."""
        return self not in FINISHED_STATUSES


FINISHED_STATUSES = frozenset(
    {RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.CANCELED, RuntimeStatus.TERMINATED}
)
LIVE_STATUSES = tuple(status for status in RuntimeStatus if status.is_live and status is not RuntimeStatus.UNKNOWN)


@dataclass(frozen=True)
class InstanceRow:
    """One row of an Instances table, with the columns that a verdict needs."""

    instance_id: str
    status: RuntimeStatus
    timestamp: datetime | None = None
    name: str = ""
    version: str = ""
    execution_id: str = ""
    hub_name: str | None = None
    created: datetime | None = None

    @property
    def is_entity(self) -> bool:
        """Whether the row keeps an entity's state: such a row stays Running for ever."""
        return is_entity_id(self.instance_id)


def is_entity_id(instance_id: str) -> bool:
    """Whether the id has the entity form `@name@key`.

    A leading `@` alone is not enough: some SDKs may start orchestrations whose ids begin so. An entity's name is never
    empty, its key may be.
    """
    return instance_id.startswith("@") and instance_id.find("@", 1) > 1


_ESCAPES = {"^": "^^", "/": "^0", "\\": "^1", "#": "^2", "?": "^3"}
_UNESCAPES = {escaped[1]: plain for plain, escaped in _ESCAPES.items()}
_CONTROL_SHIFT = 0xC0


def escape_key(instance_id: str) -> str:
    """The PartitionKey under which the engine stores this instance id."""
    return "".join(_escape_character(character) for character in instance_id)


def _escape_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    code = ord(character)
    if code <= 0x1F or 0x7F <= code <= 0x9F:
        return f"^{chr(_CONTROL_SHIFT + code)}"
    return character


def unescape_key(partition_key: str) -> str:
    """The instance id that is stored under this PartitionKey; the reverse of `escape_key`."""
    plain = []
    characters = iter(partition_key)
    for character in characters:
        if character != "^":
            plain.append(character)
            continue
        escaped = next(characters, "")
        if escaped in _UNESCAPES:
            plain.append(_UNESCAPES[escaped])
        elif escaped and ord(escaped) >= _CONTROL_SHIFT:
            plain.append(chr(ord(escaped) - _CONTROL_SHIFT))
        else:
            plain.append(escaped)
    return "".join(plain)
