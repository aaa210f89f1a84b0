"""Who may import whom: the arrows between the layers point down only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.project.tracked import ROOT, name_of, tracked


@dataclass(frozen=True)
class Rule:
    """The files of one layer and the packages that they must not import, anywhere in the file."""

    layer: str
    files: str
    never: tuple[str, ...]


CLIENTS = ("azure", "aiohttp", "httpx", "requests", "socket", "asyncio")
FRONT_ENDS = ("zdd.operators", "zdd.sensors", "zdd.triggers", "zdd.notifiers", "zdd.ui", "zdd.cli", "zdd.router")
BESIDE_THE_PRODUCT = ("local_azure", "demo", "films", "bench", "samples", "tests")

RULES = (
    Rule("core", "plugins/zdd/core/*.py", ("airflow", *CLIENTS, "zdd.hooks", *FRONT_ENDS)),
    Rule("hooks", "plugins/zdd/hooks/*.py", FRONT_ENDS),
    Rule("the plugin", "plugins/*.py", BESIDE_THE_PRODUCT),
    Rule("the DAGs", "dags/*.py", ("azure", "airflow.providers.microsoft", "zdd.triggers", *BESIDE_THE_PRODUCT)),
    Rule("triggers", "plugins/zdd/triggers/*.py", ("azure.mgmt.web",)),
    Rule("local Azure", "local_azure/*.py", ("zdd", "airflow", "demo", "films", "samples", "tests")),
    Rule("samples", "samples/*.py", ("zdd", "airflow", "local_azure", "demo")),
)


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of everything that a file imports, relative imports made absolute."""
    package = list(path.relative_to(ROOT).with_suffix("").parts[:-1])
    if package[:1] == ["plugins"]:
        package = package[1:]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:  # `from zdd import hooks` imports zdd.hooks
                yield node.lineno, f"{module}.{alias.name}"


def is_below(name: str, package: str) -> bool:
    """Tell whether a dotted name is the package or lies in it."""
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.layer)
def test_the_layer_imports_nothing_from_above(rule: Rule) -> None:
    broken = [
        f"{name_of(path)}:{line} imports {name}"
        for path in tracked(rule.files)
        for line, name in imported(path)
        if any(is_below(name, package) for package in rule.never)
    ]
    assert broken == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.layer)
def test_the_rule_has_files_to_look_at(rule: Rule) -> None:
    assert tracked(rule.files)
