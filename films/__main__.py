"""`python -m films [DIR] [--step N] [--torn]`: replay recordings of task hubs against the drain verdict."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from films.alone import alone
from films.film import Film, find_films, load_film
from films.run import is_clean, replay_all, summary
from films.torn import torn_readings

OWN_FILMS = Path(__file__).resolve().parent.parent / "tests" / "data" / "films"


def torn(films: list[Film]) -> int:
    """Torn readings in memory: none may lie, some must when rows are read first."""
    started = time.monotonic()
    counts = [torn_readings(film) for film in films]
    control = [torn_readings(film, reverse=True) for film in films]
    lies = [lie for count in counts for lie in count.false_zeros]
    print(*lies, sep="\n", end="\n" if lies else "")
    wrong_way = sum(len(count.false_zeros) for count in control)
    print(
        f"torn: {len(films)} films, {sum(count.readings for count in counts)} readings, "
        f"{sum(count.with_work for count in counts)} with work in flight, {len(lies)} false zeros; "
        f"rows read first: {wrong_way} ({time.monotonic() - started:.0f} s)"
    )
    return 0 if films and not lies and wrong_way else 1


def one_by_one(films: list[Film], step: int) -> int:
    """Each in-flight instance alone, with and without the messages of the others."""
    counts = [alone(film, messages_too=messages_too, step=step) for messages_too in (False, True) for film in films]
    lies = [lie for count in counts for lie in count.false_zeros]
    print(*lies, sep="\n", end="\n" if lies else "")
    print(f"alone: {len(films)} films, {sum(count.readings for count in counts)} readings, {len(lies)} false zeros")
    return 0 if films and not lies else 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit code is 0 only when nothing lied and nothing got stuck."""
    parser = argparse.ArgumentParser(prog="films", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=OWN_FILMS, help="where to look for films, below too")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="judge every N-th frame")
    parser.add_argument(
        "--processes", type=int, default=min(4, os.cpu_count() or 1), metavar="N", help="how many to work in"
    )
    parser.add_argument("--torn", action="store_true", help="torn readings in memory instead of a replay")
    parser.add_argument("--alone", action="store_true", help="each in-flight instance alone, in memory")
    options = parser.parse_args(arguments)
    if options.step < 1:
        parser.error("--step must be 1 or more")
    paths = find_films(options.folder)
    if not paths:
        print(f"films: expected *.storage.jsonl or *.storage.jsonl.xz below {options.folder}, found none")
        return 1
    films = [load_film(path, options.folder) for path in paths]
    if options.torn:
        return torn(films)
    if options.alone:
        return one_by_one(films, options.step)
    results = replay_all(films, step=options.step, processes=options.processes)
    for result in results:
        print(*result.false_zeros, sep="\n", end="\n" if result.false_zeros else "")
    print(summary(results))
    return 0 if is_clean(results) else 1


if __name__ == "__main__":
    sys.exit(main())
