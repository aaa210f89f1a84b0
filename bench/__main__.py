"""Runs every measurement on an Azurite of its own and says which goals were met; exit code 1 when one was not."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from bench.drain_verdict import LIVE, ROUNDS, ROWS, measure
from bench.goals import as_json, last_line, table
from local_azure.azurite import Azurite


def main() -> int:
    """Measure, print a table, JSON and the closing line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure zdd against its speed goals.")
    parser.add_argument("--rows", type=int, default=ROWS, help="instances in the hub")
    parser.add_argument("--live", type=int, default=LIVE, help="of which so many run")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each thing is timed")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    given = parser.parse_args()
    print(f"writing {given.rows} rows to Azurite ...", file=sys.stderr)
    with Azurite() as storage:
        measured = measure(storage.connection_string, rows=given.rows, live=given.live, rounds=given.rounds)
        results = asyncio.run(measured)
    print(table(results))
    print(as_json(results))
    if given.json:
        given.json.write_text(as_json(results) + "\n")
    print(last_line(results))
    return 0 if all(each.is_met for each in results) else 1


if __name__ == "__main__":
    sys.exit(main())
