"""The orders app on local Azure, and Airflow's database, for whole runs of the DAGs in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.stack import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Azurite and local Azure with version 1.1.0 in production and 1.0.0 in staging; no Airflow of its own."""
    with Stack(tmp_path_factory.mktemp("stack"), with_airflow=False) as running:
        names = []
        for name, fields in running._connections().items():
            names.append(f"AIRFLOW_CONN_{name.upper()}")
            os.environ[names[-1]] = json.dumps(fields)
        yield running
        for name in names:
            del os.environ[name]


@pytest.fixture(scope="session")
def airflow_database() -> Iterator[None]:
    """A fresh database, and one execution API for all runs: building it takes 5 s and more each time otherwise."""
    from airflow.sdk.execution_time import supervisor
    from airflow.utils.db import resetdb

    resetdb()
    real, kept = supervisor.in_process_api_server, []

    def cached() -> Any:
        if not kept:
            kept.append(real())
        return kept[0]

    supervisor.in_process_api_server = cached
    yield
    supervisor.in_process_api_server = real


@pytest.fixture(scope="session")
def dags(airflow_database: None) -> Any:
    """The DAGs of this project by id."""
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(Path(__file__).resolve().parent.parent.parent / "dags"))
    assert bag.import_errors == {}
    return bag.dags
