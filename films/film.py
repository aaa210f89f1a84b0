"""One film: a recording of every storage operation of a task hub, with the truth about work in flight beside it.

A film is a `NAME.storage.jsonl` (or `.xz`); its first line tells when it began. Where hubs share a tracking store,
`NAME.json` beside it may tell its prefix and which hub owned which instance from when.
"""

from __future__ import annotations

import json
import lzma
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from zdd.core.messages import QueueMessage, read_message

SUFFIXES = (".storage.jsonl", ".storage.jsonl.xz")
_QUEUE = re.compile(r"(?P<hub>.+)-(?:control-\d\d|workitems)\Z")
# Operations of one millisecond still come one after the other.
_TICK = timedelta(microseconds=2)


@dataclass(frozen=True)
class Frame:
    """The moment after one operation: `time` is strictly later than that of the frame before."""

    index: int
    operation: dict[str, Any] = field(repr=False)
    time: datetime
    in_flight: frozenset[str]

    @property
    def moment(self) -> datetime:
        """A moment after this operation and before the next one."""
        return self.time + _TICK / 2


@dataclass(frozen=True)
class FilmHub:
    """A hub of the film."""

    name: str
    tracking_prefix: str | None = None
    partitions: int = 4


@dataclass(frozen=True)
class Film:
    """A film as it was recorded."""

    name: str
    frames: tuple[Frame, ...]
    hubs: tuple[FilmHub, ...]
    owners: dict[str, tuple[tuple[datetime, str], ...]]

    def in_flight(self, frame: Frame, hub: FilmHub) -> frozenset[str]:
        """The instances in flight at a frame that this hub has to answer for; one that nobody owns is everybody's."""
        if len(self.hubs) == 1:
            return frame.in_flight
        return frozenset(
            instance
            for instance in frame.in_flight
            if (self._owner(instance, frame.time) or hub.name).lower() == hub.name.lower()
        )

    def _owner(self, instance: str, moment: datetime) -> str | None:
        history = self.owners.get(instance, ())
        position = bisect_right([since for since, _ in history], moment)
        return history[position - 1][1] if position else None

    @cached_property
    def ends_in_flight(self) -> bool:
        """Whether the film was cut while work was in flight."""
        return bool(self.frames and self.frames[-1].in_flight)


def find_films(folder: Path) -> list[Path]:
    """All films below a folder, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.name.endswith(SUFFIXES))


def load_film(path: Path, root: Path | None = None) -> Film:
    """Read a film. Operations that the store refused are left out."""
    stem = next(path.name.removesuffix(suffix) for suffix in SUFFIXES if path.name.endswith(suffix))
    lines = _lines(path)
    first = next(lines)
    start = datetime.fromisoformat(first["time"]).astimezone(UTC)
    frames = tuple(_frames(lines, start))
    about_file = path.with_name(f"{stem}.json")
    about = json.loads(about_file.read_text(encoding="utf-8")) if about_file.exists() else {}
    hubs = _hubs(frames, about)
    told = about.get("owners") or {}
    owners = {
        instance: tuple((start + timedelta(seconds=at), hub) for at, hub in history)
        for instance, history in told.items()
    }
    place = path.parent.relative_to(root) if root else Path()
    return Film((place / stem).as_posix(), frames, hubs, owners or _owners(frames, hubs))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    raw = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    return (json.loads(line) for line in raw.decode().splitlines() if line.strip())


def _frames(lines: Iterator[dict[str, Any]], start: datetime) -> Iterator[Frame]:
    moment, in_flight, index = start, frozenset[str](), 0
    for operation in lines:
        in_flight = frozenset(operation.get("in_flight", in_flight))
        if "status" in operation or operation.get("failed"):
            continue
        moment = max(start + timedelta(seconds=operation["at"]), moment + _TICK)
        yield Frame(index, operation, moment, in_flight)
        index += 1


def _hubs(frames: tuple[Frame, ...], about: dict[str, Any]) -> tuple[FilmHub, ...]:
    tables = [frame.operation["table"] for frame in frames if frame.operation["op"] == "create-table"]
    by_table = [table.removesuffix("Instances") for table in tables if table.endswith("Instances")]
    names = {table.removesuffix("Partitions").lower(): table.removesuffix("Partitions") for table in tables}
    queues = {frame.operation["queue"] for frame in frames if frame.operation["op"] == "create-queue"}
    by_queue = {owner for queue in queues if (owner := hub_of_queue(queue))}

    def hub(name: str, prefix: str | None = None) -> FilmHub:
        return FilmHub(name, prefix, sum(queue.startswith(f"{name.lower()}-control-") for queue in queues) or 4)

    if about.get("tracking_prefix"):
        told = about.get("hubs") or {name for history in about.get("owners", {}).values() for _, name in history}
        return tuple(hub(name, about["tracking_prefix"]) for name in sorted(told))
    own = tuple(hub(name) for name in by_table if name.lower() in by_queue)
    # Nobody says so, but the queues do: hubs that keep their rows in tables of another name.
    return own or tuple(hub(names.get(name, name), by_table[0]) for name in sorted(by_queue) if by_table)


def hub_of_queue(queue: str) -> str | None:
    """The hub, in lower case, whose queue this is."""
    match = _QUEUE.match(queue)
    return match["hub"] if match else None


def message_of(operation: dict[str, Any]) -> QueueMessage:
    """The message of a put-message, as the product reads it."""
    return read_message(json.dumps(operation["message"]))


def _owners(frames: tuple[Frame, ...], hubs: tuple[FilmHub, ...]) -> dict[str, tuple[tuple[datetime, str], ...]]:
    names = {hub.name.lower(): hub.name for hub in hubs}
    owners: dict[str, tuple[tuple[datetime, str], ...]] = {}
    for frame in frames:
        if frame.operation["op"] != "put-message":
            continue
        message, hub = message_of(frame.operation), hub_of_queue(frame.operation["queue"])
        if message.is_start and message.instance_id and hub in names:
            history = owners.get(message.instance_id, ())
            owners[message.instance_id] = (*history, (frame.time, names[hub]))
    return owners
