"""A slot's hub that answers what a script says, for tests of gates: no storage, no Azure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from zdd.core.drain import DrainState
from zdd.core.gate import Watch
from zdd.hooks.slot_drain import Observed

HUB = "hub=a storage=one"
BLOCKER = {"instance_id": "order-7", "name": "approve_order", "status": "Running", "age_seconds": 3725.0}


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 3, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class ScriptedDrain:
    """Stands in for SlotDrain. Its script holds `busy`, `zero`, `unknown` or `zero@hub`; the last word repeats."""

    def __init__(self, script: Iterable[str], clock: Clock, *, step_seconds: float = 0) -> None:
        self._script = list(script)
        self._clock = clock
        self._step = step_seconds
        self.looks: list[str] = []
        self.watches: list[Watch] = []

    async def __aenter__(self) -> ScriptedDrain:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Nothing is open."""

    async def prove(self, watch: Watch) -> Observed:
        return self._look("prove", watch)

    async def poll(self, watch: Watch) -> Observed:
        return self._look("poll", watch)

    def _look(self, how: str, watch: Watch) -> Observed:
        word = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        word, _, hub = word.partition("@")
        hub = hub or HUB
        self.looks.append(how)
        self.watches.append(watch)
        began = self._clock.now
        evidence: dict[str, Any] = {"in_flight": 1, "blockers": [BLOCKER]} if word == "busy" else {"in_flight": 0}
        state = {"busy": DrainState.BUSY, "zero": DrainState.DRAINED, "unknown": DrainState.UNKNOWN}[word]
        reason = {"busy": "1 instance in flight", "zero": "nothing left", "unknown": "the storage is away"}[word]
        watch = watch.for_binding(hub).observe(zero=word == "zero", began=began, memory={"looks": len(self.looks)})
        return Observed(state, word == "zero", reason, began, hub, watch, evidence)
