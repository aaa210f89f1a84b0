"""Films of task hubs: recordings of every storage operation, replayed against the drain verdict (`python -m films`)."""

import sys
from pathlib import Path

# Airflow puts plugins/ on sys.path; who runs this package by hand has it from here.
_PLUGINS = str(Path(__file__).resolve().parent.parent / "plugins")
if _PLUGINS not in sys.path:
    sys.path.insert(0, _PLUGINS)
