"""Runs many films at once: processes with an Azurite each, and in each a few films side by side."""

from __future__ import annotations

import asyncio
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from azure.core.exceptions import AzureError

from films.film import Film
from films.replay import FilmResult, replay
from films.store import FilmStore
from local_azure.azurite import Azurite, AzuriteError

AT_ONCE = 3


def replay_all(films: list[Film], *, step: int, processes: int) -> list[FilmResult]:
    """Replay films in several processes, each with an Azurite of its own; results in the order of the films."""
    shares: list[list[Film]] = [[] for _ in range(max(1, min(processes, len(films))))]
    for film in sorted(films, key=lambda film: len(film.frames), reverse=True):
        min(shares, key=lambda share: sum(len(other.frames) for other in share)).append(film)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(len(shares), mp_context=context) as pool:
        results = [result for done in pool.map(_replay_share, shares, [step] * len(shares)) for result in done]
    places = {film.name: place for place, film in enumerate(films)}
    return sorted(results, key=lambda result: places[result.name])


def _replay_share(films: list[Film], step: int) -> list[FilmResult]:
    with Azurite() as azurite:
        try:
            return asyncio.run(replay_side_by_side(films, azurite.connection_string, step=step))
        except AzureError as error:
            # The SDK's errors hold a traceback, which cannot travel from process to process.
            raise AzuriteError(f"the replay stopped: {type(error).__name__}: {error}") from None


async def replay_side_by_side(films: list[Film], connection_string: str, *, step: int) -> list[FilmResult]:
    """Replay films into one account, a few at once."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, film: Film) -> FilmResult:
        # Both forms of message that the engine has used.
        async with (
            places,
            FilmStore(connection_string, f"F{number:02d}x", base64_messages=number % 2 == 0) as store,
        ):
            result = await replay(film, store, step=step)
            print(result, flush=True)
            return result

    return list(await asyncio.gather(*(one(number, film) for number, film in enumerate(films))))


def summary(results: list[FilmResult]) -> str:
    """The last line."""
    return (
        f"films: {len(results)} films, {sum(result.frames for result in results)} frames, "
        f"{sum(result.with_work for result in results)} with work in flight, "
        f"{sum(len(result.false_zeros) for result in results)} false zeros, "
        f"{sum(result.is_stuck for result in results)} stuck at the end"
    )


def is_clean(results: list[FilmResult]) -> bool:
    """Whether there were films, and none lied or got stuck."""
    return bool(results) and not any(result.false_zeros or result.is_stuck for result in results)
