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

airflow_home.prepare()  # before any test module imports airflow


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """Connection string of one Azurite, in memory, for the whole session."""
    with Azurite() as server:
        yield server.connection_string
