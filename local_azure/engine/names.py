"""Names in storage: tables, queues and containers, partition of an instance, escaping of keys, instance ids."""

from __future__ import annotations

import unicodedata

from local_azure.engine.errors import BadInstanceId

FNV_OFFSET_BASIS = 0x811C9DC5
FNV_PRIME = 0x01000193
SENTINEL = "sentinel"

_TO_ESCAPE = {"^": "^^", "/": "^0", "\\": "^1", "#": "^2", "?": "^3"}
_FROM_ESCAPE = {escaped[1]: plain for plain, escaped in _TO_ESCAPE.items()}
_CONTROL_OFFSET = 0xC0


def fnv1a(text: str) -> int:
    """FNV-1a, 32 bit, over the UTF-8 bytes."""
    value = FNV_OFFSET_BASIS
    for byte in text.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * FNV_PRIME) & 0xFFFFFFFF
    return value


def control_queue(hub: str, index: int) -> str:
    """Name of a control queue; it is also the row key of the partition."""
    return f"{hub.lower()}-control-{index:02d}"


def control_queue_of(hub: str, instance_id: str, partition_count: int) -> str:
    """Name of the control queue that an instance's messages go to."""
    return control_queue(hub, fnv1a(instance_id) % partition_count)


def work_item_queue(hub: str) -> str:
    """Name of the queue of activities."""
    return f"{hub.lower()}-workitems"


def partitions_table(hub: str) -> str:
    """Name of the table of partition leases."""
    return f"{hub}Partitions"


def large_messages_container(hub: str) -> str:
    """Name of the container of payloads that do not fit into a message or a column."""
    return f"{hub.lower()}-largemessages"


def app_lease_container(hub: str) -> str:
    """Name of the container whose lease says which app works on the hub."""
    return f"{hub.lower()}-applease"


def app_lease_blob(hub: str) -> str:
    """Name of the blob that says who holds the app lease."""
    return f"{hub.lower()}-appleaseinfo"


def _is_control(code_point: int) -> bool:
    return code_point <= 0x1F or 0x7F <= code_point <= 0x9F


def escape_key(instance_id: str) -> str:
    """Instance id to PartitionKey (KeySanitation.cs). Not idempotent."""
    parts = []
    for char in instance_id:
        if char in _TO_ESCAPE:
            parts.append(_TO_ESCAPE[char])
        elif _is_control(ord(char)):
            parts.append("^" + chr(_CONTROL_OFFSET + ord(char)))
        else:
            parts.append(char)
    return "".join(parts)


def unescape_key(key: str) -> str:
    """PartitionKey to instance id."""
    parts = []
    chars = iter(key)
    for char in chars:
        if char != "^":
            parts.append(char)
            continue
        escaped = next(chars, "")
        if escaped in _FROM_ESCAPE:
            parts.append(_FROM_ESCAPE[escaped])
        elif escaped and ord(escaped) >= _CONTROL_OFFSET:
            parts.append(chr(ord(escaped) - _CONTROL_OFFSET))
        else:
            parts.append(escaped)
    return "".join(parts)


def quote(text: str) -> str:
    """A string literal of a table filter."""
    return "'" + text.replace("'", "''") + "'"


def check_instance_id(instance_id: str) -> str:
    """Refuse the ids that the extension refuses at start; returns the id."""
    bad = {char for char in instance_id if char in "/\\#?" or unicodedata.category(char) == "Cc"}
    if not instance_id or bad:
        raise BadInstanceId(
            f"expected an instance id without /, \\, #, ? and control characters, found {instance_id!r}: use another id"
        )
    if instance_id.startswith("@"):
        raise BadInstanceId(f"expected an instance id without a leading @, found {instance_id!r}: use another id")
    return instance_id
