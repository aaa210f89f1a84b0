"""The locks: everything pinned and hashed, and in step with the files that they are made from."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.project.test_layers import imported as imports
from tests.project.tracked import ROOT, tracked

LOCKS = ("requirements-bootstrap", "requirements", "requirements-dev")


def normal(name: str) -> str:
    """Return a distribution's name as the packaging rules compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_for(path: Path) -> set[str]:
    """Return the names that an .in file asks for, files that it includes left out."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {normal(re.split(r"[\[<>=!~;\s]", line, maxsplit=1)[0]) for line in lines if line and line[0] != "-"}


def pinned(path: Path) -> dict[str, str]:
    """Return name to version of a lock; fails on a line that pins no single version or carries no hash."""
    pins: dict[str, str] = {}
    for block in re.split(r"\n(?=\S)", path.read_text()):
        if block.startswith("#"):
            continue
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", block)
        assert match, f"{path.name}: expected `name==version`, found {block.splitlines()[0]!r}"
        assert "--hash=sha256:" in block, f"{path.name}: {match[1]} has no hash"
        pins[normal(match[1])] = match[2]
    return pins


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_holds_everything_that_its_source_asks_for(name: str) -> None:
    assert asked_for(ROOT / f"{name}.in") - set(pinned(ROOT / f"{name}.txt")) == set()


def test_the_developers_lock_has_the_very_pins_of_the_deployed_one() -> None:
    deployed, developers = (pinned(ROOT / f"{name}.txt") for name in ("requirements", "requirements-dev"))
    assert {name: developers.get(name) for name in deployed} == deployed


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_says_where_packages_are_fetched(name: str) -> None:
    lines = (ROOT / f"{name}.txt").read_text().splitlines()
    assert [line for line in lines if "://" in line or line.startswith("--")] == []


def test_the_node_lock_pins_azurite_with_integrity_hashes_and_no_addresses() -> None:
    source: dict[str, Any] = json.loads((ROOT / "package.json").read_text())
    lock: dict[str, Any] = json.loads((ROOT / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert lock["packages"][""]["dependencies"] == source["dependencies"]
    assert packages["node_modules/azurite"]["version"] == source["dependencies"]["azurite"]
    assert [name for name, package in packages.items() if not package.get("integrity")] == []
    assert [name for name, package in packages.items() if "resolved" in package] == []


def test_the_images_use_the_versions_of_the_locks() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    airflow = pinned(ROOT / "requirements.txt")["apache-airflow"]
    assert f"FROM apache/airflow:{airflow}-python3.11 AS airflow" in dockerfile
    azurite = json.loads((ROOT / "package.json").read_text())["dependencies"]["azurite"]
    assert f"image: zdd/azurite:{azurite}" in (ROOT / "docker-compose.yaml").read_text()


# What is run or checked with, and so imported by nobody.
TOOLS = {
    "apache-airflow",
    "apache-airflow-providers-microsoft-azure",
    "asyncpg",
    "check-jsonschema",
    "mypy",
    "psycopg2-binary",
    "pytest-asyncio",
    "pytest-timeout",
    "pytest-xdist",
    "ruff",
    "types-psutil",
    "types-pyyaml",
    "uv",
}
# Distributions whose module has another name.
MODULES = {"azure-functions-durable": "azure.durable_functions", "pyyaml": "yaml"}


def all_asked_for() -> set[str]:
    """Return every distribution that one of the .in files asks for."""
    return set().union(*(asked_for(ROOT / f"{name}.in") for name in LOCKS))


def test_everything_asked_for_is_imported_somewhere_or_a_tool() -> None:
    imported = {name for path in tracked("*.py") for _, name in imports(path)}
    modules = {name: MODULES.get(name, name.replace("-", ".")) for name in all_asked_for() - TOOLS}
    unused = {
        name
        for name, module in modules.items()
        if not any(found == module or found.startswith(f"{module}.") for found in imported)
    }
    assert unused == set()


def test_every_dependency_has_its_reason_among_the_decisions() -> None:
    told = (ROOT / "docs" / "decisions.md").read_text().lower()
    silent = {name for name in all_asked_for() if not name.startswith(("types-", "pytest-")) and name not in told}
    assert silent == set()
