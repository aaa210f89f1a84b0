"""What the demo prints while it runs: one line for each thing that happened, with the seconds since the start."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.text import Text

LONGEST = 260


class Timeline:
    """Prints calm, stamped lines. `console` is the one place that the demo writes to."""

    def __init__(self, console: Console | None = None) -> None:
        # In a file or a pipe there is no width to fit in.
        width = None if sys.stdout.isatty() else 140
        self.console = console or Console(highlight=False, soft_wrap=True, width=width)
        self._began = time.monotonic()

    def say(self, text: str, style: str = "") -> None:
        """Print one line, a long one cut: the summary and Airflow have the rest."""
        text = text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
        seconds = time.monotonic() - self._began
        line = Text(f"{seconds:6.1f} s  ", style="dim")
        line.append(text, style=style)
        self.console.print(line)
