"""One whole stack for the end-to-end tests: Azurite, local Azure with the orders app, and `airflow standalone`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home: Path = tmp_path_factory.mktemp("stack")
    with Stack(home) as running:
        yield running
