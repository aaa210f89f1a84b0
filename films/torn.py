"""Torn readings, in memory: parts of the hub read at different moments, up to two seconds apart.

In the order of a proof (queues first, each at a moment of its own, rows after, history last) there may be no false
zero. Read the other way round (rows first, queues after) there must be some: the control that shows that these
readings can tell.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from films.film import Film, FilmHub
from films.hub_state import Moments, Snapshot, read_hub, snapshots
from zdd.core import drain
from zdd.core.partitions import control_queues, work_item_queue

LONGEST = timedelta(seconds=2)
VISIBILITY_TIMEOUT = timedelta(minutes=5)
SAMPLES = 6


@dataclass
class TornCount:
    """How many torn readings were made of a film, how many while work was in flight all along, and which lied."""

    readings: int = 0
    with_work: int = 0
    false_zeros: list[str] = field(default_factory=list)


def torn_readings(film: Film, *, reverse: bool = False, seed: int = 1, samples: int = SAMPLES) -> TornCount:
    """Judge torn readings that begin at every frame of a film.

    A zero is false when work was in flight at every frame from the first part read to the last.
    """
    taken = snapshots(film)
    chance = random.Random(f"{film.name} {seed}")
    count = TornCount()
    for hub in film.hubs:
        busy_until = _busy_until(film, hub, taken)
        for index, first in enumerate(taken):
            for moments, last in _moments(hub, taken, index, chance, samples=samples, reverse=reverse):
                count.readings += 1
                if busy_until[index] < last:
                    continue
                count.with_work += 1
                reading = read_hub(hub, moments)
                verdict = drain.judge(reading, None, hub=hub.name, visibility_timeout=VISIBILITY_TIMEOUT)
                if verdict.is_drained:
                    count.false_zeros.append(f"{film.name} {hub.name} frames {first.frame.index} to {last}")
    return count


def _busy_until(film: Film, hub: FilmHub, taken: list[Snapshot]) -> list[int]:
    """For each frame the last one up to which work is in flight without a pause; -1 where none is."""
    until = [-1] * len(taken)
    for index in range(len(taken) - 1, -1, -1):
        if film.in_flight(taken[index].frame, hub):
            goes_on = index + 1 < len(taken) and until[index + 1] >= 0
            until[index] = until[index + 1] if goes_on else index
    return until


def _moments(
    hub: FilmHub, taken: list[Snapshot], index: int, chance: random.Random, *, samples: int, reverse: bool
) -> Iterator[tuple[Moments, int]]:
    first = taken[index]
    end = index
    while end + 1 < len(taken) and taken[end + 1].moment - first.moment <= LONGEST:
        end += 1
    names = (work_item_queue(hub.name), *control_queues(hub.name, hub.partitions))
    for _ in range(samples):
        if reverse:
            later = chance.randint(index, end)
            yield Moments(first, rows=first, timers=taken[later], queues=dict.fromkeys(names, taken[later])), later
            continue
        at = {name: chance.randint(index, end) for name in names}
        if chance.random() < 0.5:
            at = dict.fromkeys(names, index)
        rows = chance.randint(max(at.values()), end)
        history = chance.randint(rows, end)
        queues = {name: taken[position] for name, position in at.items()}
        yield Moments(first, rows=taken[rows], timers=taken[history], queues=queues), history
