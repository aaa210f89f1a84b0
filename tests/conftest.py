"""Fixtures that every test folder may use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
for place in (ROOT, ROOT / "plugins"):  # Airflow puts plugins/ on sys.path; the tests do the same
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from local_azure.azurite import Azurite  # noqa: E402
from tests.support import airflow_home  # noqa: E402

# Where tests run in two processes: one stack for the DAGs' runs, and never two whole Airflows at once.
TOGETHER = {"dags/": "dags", "e2e/": "airflow", "project/test_compose.py": "airflow"}

airflow_home.prepare()  # before any test module imports airflow


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, and in their order, tests that share something slow: a file's, or those of `TOGETHER`."""
    for item in items:
        place = item.path.relative_to(ROOT / "tests").as_posix()
        group = next((name for start, name in TOGETHER.items() if place.startswith(start)), place)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """Connection string of one Azurite, in memory, for the whole session."""
    with Azurite() as server:
        yield server.connection_string
