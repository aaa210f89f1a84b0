"""`python -m demo`: a busy orders app on local Azure, and its release through Airflow."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from demo.console import Timeline
from demo.scenario import Scenario
from demo.stack import Stack
from demo.summary import Result

HOME = Path(__file__).resolve().parent.parent / ".local" / "demo"


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="release without a person, count, and end")
    parser.add_argument(
        "--unsafe", action="store_true", help="the same traffic, released without gates: shows the harm"
    )
    parser.add_argument("--home", type=Path, default=HOME, help="where everything is kept (emptied at the start)")
    options = parser.parse_args()
    # An end from outside must stop all children, too. From a background shell SIGINT may come to us ignored.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)
    timeline = Timeline()
    result: Result | None = None
    try:
        with Stack(options.home, with_airflow=not options.unsafe, say=timeline.say) as stack:
            try:
                result = asyncio.run(_until_interrupted(Scenario(stack, timeline), options.once, options.unsafe))
            finally:
                timeline.say("stopping everything …", "dim")
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
    except KeyboardInterrupt:
        timeline.say("stopped")
        return 130 if options.once else 0
    assert result is not None
    timeline.console.print(result.last_line, style="bold")
    return result.exit_code


async def _until_interrupted(scenario: Scenario, once: bool, unsafe: bool) -> Result | None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        if once or unsafe:
            return await scenario.once(unsafe=unsafe)
        await scenario.until_stopped()
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    return None


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
