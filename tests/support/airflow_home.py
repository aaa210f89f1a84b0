"""An Airflow home of the test session's own, set before anything imports airflow."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def prepare() -> Path:
    """Point Airflow at a fresh home with our folders; its settings are read at the first import and never again."""
    home = Path(tempfile.mkdtemp(prefix="zdd-airflow-"))
    atexit.register(shutil.rmtree, home, True)
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        # The suite waits for the stand-in, not for the cloud.
        "AIRFLOW__ZDD__ARM_POLL_SECONDS": "1",
        "AIRFLOW__ZDD__RETRY_DELAY_SECONDS": "1",
        "AIRFLOW__ZDD__VERIFY_TIMEOUT_SECONDS": "60",
    }
    return home
