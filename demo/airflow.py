"""Airflow as a child process: `airflow standalone` with a home, ports and settings of its own."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import httpx
import psutil

from local_azure.azurite import free_ports

ROOT = Path(__file__).resolve().parent.parent
# It takes 20 s on two idle cores; a busy machine is given its time.
START_TIMEOUT_SECONDS = 300.0
# A clean stop takes 16 s on two idle cores; the triggerer gives its triggers that long.
STOP_TIMEOUT_SECONDS = 45.0
PR_SET_PDEATHSIG = 1
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")


class AirflowError(RuntimeError):
    """Airflow did not start; the message names its log and its last lines."""


@dataclass(frozen=True)
class Credentials:
    """How a person or a script signs in."""

    username: str
    password: str = field(repr=False)


class Airflow:
    """One `airflow standalone` that runs this project's dags/ and plugins/.

    `connections` are given as Airflow reads them from the environment: connection id to its JSON object. Two of them
    may run at once: the log servers' ports are free ones, too, and not Airflow's fixed 8793 and 8794.
    """

    def __init__(
        self,
        home: Path,
        *,
        connections: Mapping[str, Mapping[str, object]],
        environment: Mapping[str, str] | None = None,
        parallelism: int = 4,
    ) -> None:
        self.home = home
        self.log = home / "standalone.log"
        self.credentials = Credentials("admin", secrets.token_urlsafe(9))
        self._connections = connections
        self._environment = dict(environment or {})
        self._parallelism = parallelism
        self._port, self._worker_log_port, self._trigger_log_port = free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the UI and of the REST API, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    def environment(self) -> dict[str, str]:
        """Return the whole environment of the Airflow processes; `airflow …` commands work with it, too."""
        settings = {
            "CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__PARALLELISM": str(self._parallelism),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,viewer:viewer",
            "API__HOST": "127.0.0.1",
            "API__PORT": str(self._port),
            "API__BASE_URL": self.url,
            "LOGGING__WORKER_LOG_SERVER_PORT": str(self._worker_log_port),
            "LOGGING__TRIGGER_LOG_SERVER_PORT": str(self._trigger_log_port),
            "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
            "DAG_PROCESSOR__PARSING_PROCESSES": "1",
            # The files do not change under us; reading them every 30 s would cost a tenth of a core.
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
        }
        environment = {
            # Settings of another Airflow on this machine must not leak into ours.
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")},
            "AIRFLOW_HOME": str(self.home),
            **{f"AIRFLOW__{key}": value for key, value in settings.items()},
            **{f"AIRFLOW_CONN_{name.upper()}": json.dumps(value) for name, value in self._connections.items()},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONPATH": str(ROOT / "plugins"),
            "NO_COLOR": "1",
        }
        return environment | self._environment

    def start(self) -> Airflow:
        """Start it and wait until all its components are healthy; raises AirflowError when they are not."""
        self.launch()
        self.wait_until_healthy()
        return self

    def launch(self) -> None:
        """Start the process and return at once, so that other things can start beside it."""
        self.home.mkdir(parents=True, exist_ok=True)
        passwords = self.home / "simple_auth_manager_passwords.json.generated"
        passwords.write_text(json.dumps({"admin": self.credentials.password, "viewer": secrets.token_urlsafe(9)}))
        passwords.chmod(0o600)
        with self.log.open("ab") as output:
            # A session of its own: Ctrl-C in a terminal must reach our clean stop alone. SIGINT is what `standalone`
            # stops cleanly on, and a background shell may have handed us an ignored one.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                env=self.environment(),
                start_new_session=True,
                preexec_fn=_prepare_child,
            )

    def wait_until_healthy(self) -> None:
        """Wait until each component reports itself healthy."""
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        state = "no answer"
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise AirflowError(f"Airflow ended at once with exit code {self._process.returncode}: {self._tail()}")
            try:
                health = httpx.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
                state = ", ".join(f"{name} {(health.get(name) or {}).get('status')}" for name in COMPONENTS)
                if all((health.get(name) or {}).get("status") == "healthy" for name in COMPONENTS):
                    self._wake_the_execution_api()
                    return
            except (httpx.HTTPError, ValueError) as problem:
                state = type(problem).__name__
            time.sleep(0.3)
        self.stop()
        raise AirflowError(f"Airflow was not healthy after {START_TIMEOUT_SECONDS:.0f} s ({state}): {self._tail()}")

    def _wake_the_execution_api(self) -> None:
        # At its first request the API that tasks talk to builds all its versions: seconds of work, many on a busy
        # machine, in which the server answers nobody. Better here than in the middle of a release.
        httpx.get(f"{self.url}/execution/health", timeout=START_TIMEOUT_SECONDS)

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-15:] if self.log.exists() else []
        return f"see {self.log}, which ends:\n" + "\n".join(lines)

    def stop(self) -> None:
        """Stop it as Ctrl-C does, and leave no process of it behind."""
        if self._process is None or self._process.poll() is not None:
            return
        family = psutil.Process(self._process.pid).children(recursive=True)
        os.kill(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(timeout=STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _, orphans = psutil.wait_procs(family, timeout=5)
        for orphan in orphans:
            orphan.kill()
        psutil.wait_procs(orphans, timeout=5)

    def __enter__(self) -> Airflow:
        return self.start()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _prepare_child() -> None:
    """Take SIGINT, and on Linux get it by itself when the parent dies without stopping us."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)
