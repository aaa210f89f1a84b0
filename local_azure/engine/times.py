"""Time as the engine writes it: .NET's round-trip text, and the store's DateTime columns."""

from __future__ import annotations

from datetime import UTC, datetime

MIN_TIME = "0001-01-01T00:00:00"


def utcnow() -> datetime:
    """The present moment, aware."""
    return datetime.now(UTC)


def to_text(moment: datetime) -> str:
    """Text of a moment as Newtonsoft writes it: fraction without trailing zeros, then Z."""
    moment = moment.astimezone(UTC)
    fraction = f"{moment.microsecond:06d}".rstrip("0")
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + "Z"


def from_text(text: str) -> datetime:
    """Read such a text; a seventh digit of the fraction is cut off, no zone means UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
