"""Runs the services of docker-compose.yaml as plain processes, for machines without a container engine.

What a container gives a service is put in by text: a service's host name becomes 127.0.0.1, each port that it listens
on a free one, each mounted path a folder of this machine, and the image's programs those of the checkout and of
Debian's Postgres. Commands, environment and health checks are otherwise taken from the file as they are.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from local_azure.azurite import free_ports

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yaml"
# The checkout's own programs: airflow and python, azurite.
PROGRAMS = (Path(sys.executable).parent, ROOT / "node_modules" / ".bin")
DEBIAN_POSTGRES = Path("/usr/lib/postgresql")

# Which ports each service listens on inside its container. Not all are published, so the file alone does not tell.
LISTENS_ON = {
    "postgres": (5432,),
    "azurite": (10000, 10001, 10002),
    "local-azure": (8470,),
    "airflow-apiserver": (8080,),
    "airflow-scheduler": (8974, 8793),
    "airflow-triggerer": (8794,),
}
ONE_SHOT = ("airflow-init",)


def interpolate(text: str, environment: dict[str, str]) -> str:
    """Do what compose does to a value: `${NAME:-default}` and `${NAME}` filled in, `$$` a dollar sign."""

    def value(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$"
        return environment.get(match["name"]) or (match["default"] or "")

    return re.sub(r"\$(?:\$|\{(?P<name>\w+)(?::-(?P<default>[^}]*))?\})", value, text)


@dataclass(frozen=True)
class Service:
    """One service of the file, ready to be run on this machine."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    health_check: tuple[str, ...]
    depends_on: dict[str, str] = field(default_factory=dict)


def postgres_programs() -> Path:
    """Return the folder of Debian's newest Postgres; fails with the package's name when there is none."""
    found = sorted(DEBIAN_POSTGRES.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise AssertionError(
            f"expected a Postgres server below {DEBIAN_POSTGRES}, found none: install the Debian package `postgresql` "
            "(`make test` does it where it may)"
        )
    return found[-1].parent


class ComposeStack:
    """The file's services as processes in one scratch folder; use as a context manager."""

    def __init__(self) -> None:
        # Not pytest's own folder: Postgres runs as a user of its own and has to reach its data.
        self.folder = Path(tempfile.mkdtemp(prefix="zdd-compose-"))
        self.folder.chmod(0o755)
        self._document: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
        listening = [(name, port) for name, ports in LISTENS_ON.items() for port in ports]
        self.ports = {port: free for (_, port), free in zip(listening, free_ports(len(listening)), strict=True)}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.services = {name: self._service(name) for name in self._document["services"]}

    # --- the file, adapted to this machine ---------------------------------------------------------------------------

    def _service(self, name: str) -> Service:
        described = self._document["services"][name]
        paths = self._paths(described.get("volumes", []))
        environment = {key: self._adapt(str(value), paths) for key, value in described.get("environment", {}).items()}
        check = described.get("healthcheck", {}).get("test", ["NONE"])
        depends = described.get("depends_on", {})
        return Service(
            name=name,
            command=(described["command"][0], *(self._adapt(part, paths) for part in described["command"][1:])),
            environment=environment,
            health_check=tuple(self._adapt(part, paths) for part in check[1:]),
            depends_on={other: how["condition"] for other, how in depends.items()},
        )

    def _paths(self, volumes: list[str]) -> dict[str, Path]:
        paths: dict[str, Path] = {}
        for volume in volumes:
            source, target = volume.split(":")[:2]
            if source.startswith("."):
                paths[target] = (ROOT / source).resolve()
            else:
                paths[target] = self.folder / source
                paths[target].mkdir(exist_ok=True)
        paths.setdefault("/opt/airflow", self.folder / "airflow")
        return paths

    def _adapt(self, text: str, paths: dict[str, Path]) -> str:
        text = interpolate(text, {})
        for target in sorted(paths, key=len, reverse=True):  # /opt/airflow/dags before /opt/airflow
            text = re.sub(rf"(?<![\w/]){re.escape(target)}(?=/|$|\b)", str(paths[target]), text)
        for name in sorted(self._document["services"], key=len, reverse=True):
            text = re.sub(rf"(?<=//){re.escape(name)}(?=:)|(?<=@){re.escape(name)}(?=:)", "127.0.0.1", text)
            text = re.sub(rf"^{re.escape(name)}$", "127.0.0.1", text)
        text = text.replace("0.0.0.0", "127.0.0.1")
        return re.sub(r"(?<![\d.-])\d{4,5}(?![\d.-])", lambda match: str(self._port(match[0])), text)

    def _port(self, text: str) -> int | str:
        return self.ports.get(int(text), text)

    # --- running -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> ComposeStack:
        try:
            self._start_postgres()
            for name, service in self.services.items():
                if name == "postgres":
                    continue
                for other, condition in service.depends_on.items():
                    if condition == "service_healthy":
                        self.wait_until_healthy(other)
                if name in ONE_SHOT:
                    self._run_to_its_end(service)
                else:
                    self._processes[name] = self._start(service, service.command)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def log(self, name: str) -> str:
        """Return the end of what a service has printed."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else "(nothing printed)"

    def wait_until_healthy(self, name: str, seconds: float = 90) -> None:
        """Run the service's own health check until it passes; fails with the service's log."""
        service = self.services[name]
        deadline = time.monotonic() + seconds
        while True:
            process = self._processes[name]
            assert process.poll() is None, f"{name} ended with exit code {process.returncode}:\n{self.log(name)}"
            check = self.run_beside(name, service.health_check)
            if check.returncode == 0:
                return
            assert time.monotonic() < deadline, (
                f"{name} is not healthy after {seconds:.0f} s; its check says:\n{check.stdout}"
                f"\nand its log ends:\n{self.log(name)}"
            )
            time.sleep(0.5)

    def run_beside(self, name: str, command: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        """Run a command with a service's environment, as `docker compose exec` does."""
        return subprocess.run(
            self._resolve(command),
            env=self._environment(self.services[name]),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )

    def _programs(self, command: tuple[str, ...]) -> list[Path]:
        return [postgres_programs()] if command[0] in ("postgres", "pg_isready") else list(PROGRAMS)

    def _environment(self, service: Service) -> dict[str, str]:
        path = os.pathsep.join([*map(str, self._programs(service.command)), os.environ["PATH"]])
        # What the images set by themselves; nothing else of this machine's environment leaks in.
        own = {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8"}
        if service.name == "local-azure":
            own["PYTHONPATH"] = str(ROOT)  # the image's working folder holds the package
        return own | service.environment

    def _resolve(self, command: tuple[str, ...]) -> list[str]:
        found = [place / command[0] for place in self._programs(command) if (place / command[0]).exists()]
        return [str(found[0]) if found else command[0], *command[1:]]

    def _start(self, service: Service, command: tuple[str, ...], **extra: Any) -> subprocess.Popen[bytes]:
        with (self.folder / f"{service.name}.log").open("ab") as output:
            return subprocess.Popen(
                self._resolve(command),
                env=self._environment(service),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **extra,
            )

    def _run_to_its_end(self, service: Service) -> None:
        process = self._start(service, service.command)
        self._processes[service.name] = process
        assert process.wait(timeout=120) == 0, f"{service.name} failed:\n{self.log(service.name)}"

    def _start_postgres(self) -> None:
        """Do what the image's entry point does: make the cluster, its user and its database, then run the command."""
        service = self.services["postgres"]
        programs, data = postgres_programs(), self.folder / "postgres-data"
        account: dict[str, Any] = {}
        if os.getuid() == 0:  # Postgres refuses to run as root
            account = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(data, "postgres", "postgres")
        user, database = service.environment["POSTGRES_USER"], service.environment["POSTGRES_DB"]
        secret = self.folder / "postgres-password"
        secret.write_text(service.environment["POSTGRES_PASSWORD"])
        run = {"env": self._environment(service), "cwd": data, "check": True, "stdout": subprocess.DEVNULL, **account}
        subprocess.run([programs / "initdb", "-D", data, "-U", user, f"--pwfile={secret}", "--auth=trust"], **run)
        place = ("-D", str(data), "-p", str(self.ports[5432]), "-k", str(data), "-h", "127.0.0.1")
        process = self._start(service, (*service.command, *place), **account)
        self._processes["postgres"] = process
        self.wait_until_healthy("postgres")
        subprocess.run([programs / "createdb", "-h", data, "-p", str(self.ports[5432]), "-U", user, database], **run)

    def stop(self) -> None:
        """End every process, the database last, and remove the folder."""
        for process in reversed(self._processes.values()):
            if process.poll() is None:
                # Postgres: a fast shutdown by SIGINT; the others take SIGTERM as their containers would give it.
                is_postgres = process is self._processes.get("postgres")
                process.send_signal(signal.SIGINT if is_postgres else signal.SIGTERM)
        for name, process in reversed(self._processes.items()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=15)
            if name != "postgres":
                # Whatever a service has started lives in its session.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=15)
        shutil.rmtree(self.folder, ignore_errors=True)
