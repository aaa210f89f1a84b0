"""Replays a film frame by frame and asks the real reader for its verdict; then waits, on the film's clock, for its end.

The wait after the last frame is a poller's: every 30 simulated seconds, no worker at work, the observation handed on
from verdict to verdict.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

from films.film import Film, FilmHub, Frame
from films.store import FilmClock, FilmStore
from zdd.core.drain import DrainState, DrainVerdict
from zdd.core.drain_memory import DrainMemory
from zdd.core.quiet_window import window_length
from zdd.hooks.task_hub import TaskHubReader

POLL = timedelta(seconds=30)
ZEROS = frozenset({DrainState.DRAINED, DrainState.NEVER_STARTED})


@dataclass
class FilmResult:
    """What came of one film."""

    name: str
    frames: int = 0
    with_work: int = 0
    asked: int = 0
    false_zeros: list[str] = field(default_factory=list)
    ends: dict[str, str] = field(default_factory=dict)
    is_stuck: bool = False

    def __str__(self) -> str:
        ends = "; ".join(f"{hub}: {end}" for hub, end in self.ends.items())
        return (
            f"{self.name}: {self.frames} frames, {self.with_work} with work in flight, "
            f"{len(self.false_zeros)} false zeros, at the end {ends}"
        )


@dataclass
class _Watch:
    """One hub under watch: its reader and what it remembers."""

    hub: FilmHub
    reader: TaskHubReader
    memory: DrainMemory | None = None

    async def look(self) -> DrainVerdict:
        verdict = await self.reader.prove(self.memory)
        self.memory = verdict.memory
        return verdict


async def replay(film: Film, store: FilmStore, *, step: int = 1) -> FilmResult:
    """Replay a film; every `step`-th frame with operations applied one by one, the last one always, is judged."""
    result = FilmResult(film.name, frames=len(film.frames))
    result.with_work = sum(bool(frame.in_flight) for frame in film.frames)
    clock = FilmClock(film.frames[0].time)
    async with AsyncExitStack() as stack:
        watches = [
            _Watch(hub, await stack.enter_async_context(TaskHubReader(store.binding(hub), clock=clock)))
            for hub in film.hubs
        ]
        for frame in film.frames:
            await store.apply(frame)
            if frame.index % step and frame is not film.frames[-1]:
                continue
            clock.film = frame.moment
            await store.show(clock.film)
            for watch in watches:
                result.asked += 1
                _note(result, film, frame, watch.hub, await watch.look())
        for watch in watches:
            await _wait_for_the_end(result, film, store, clock, watch)
    return result


def _note(result: FilmResult, film: Film, frame: Frame, hub: FilmHub, verdict: DrainVerdict) -> None:
    in_flight = film.in_flight(frame, hub)
    if verdict.state in ZEROS and in_flight:
        result.false_zeros.append(
            f"{film.name} frame {frame.index} {hub.name}: {verdict.state}, in flight {sorted(in_flight)[:3]}"
        )


async def _wait_for_the_end(result: FilmResult, film: Film, store: FilmStore, clock: FilmClock, watch: _Watch) -> None:
    last = film.frames[-1]
    clock.film = last.moment
    in_flight = film.in_flight(last, watch.hub)
    window = window_length(store.binding(watch.hub).control_queue_visibility_timeout)
    # Work in flight must outlast one window; a hub without may need a second one when the first was disturbed.
    deadline = last.moment + window + (2 * POLL if in_flight else window)
    verdict = await watch.look()
    while verdict.state is not DrainState.DRAINED and clock.film < deadline:
        clock.film += POLL
        await store.show(clock.film)
        verdict = await watch.look()
        _note(result, film, last, watch.hub, verdict)
    waited = (clock.film - last.moment).total_seconds()
    result.ends[watch.hub.name] = f"{verdict.state} after {waited:.0f} s ({verdict.reason})"
    result.is_stuck |= not in_flight and verdict.state is not DrainState.DRAINED
