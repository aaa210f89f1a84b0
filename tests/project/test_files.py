"""What no tracked file may hold, and what every one of a kind must."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.project.tracked import name_of, text_of, tracked

# Put together here, so that this file does not hold them. Hosts of package registries belong into a machine's own
# settings; a path of somebody's machine is a mistake everywhere.
FORBIDDEN = (
    *(".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs"))),
    *("".join(parts) for parts in (("deb", ".debian"), ("/work", "/main"), ("/work", "/shared"), ("/root", "/"))),
)


@pytest.mark.parametrize("word", FORBIDDEN)
def test_no_tracked_file_names_a_registry_host_or_a_place_on_somebodys_machine(word: str) -> None:
    holders = [name_of(path) for path in tracked() if word in (text_of(path) or "")]
    assert holders == []


def test_every_python_file_says_first_what_it_is_about() -> None:
    files = [path for path in tracked("*.py") if not name_of(path).startswith("samples/")]
    silent = [
        name_of(path)
        for path in files
        if path.read_text().strip() and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_every_python_file_of_the_product_postpones_annotations() -> None:
    files = [path for path in tracked("plugins/*.py", "local_azure/*.py", "dags/*.py") if path.name != "__init__.py"]
    without = [name_of(path) for path in files if "from __future__ import annotations" not in path.read_text()]
    assert without == []


def test_no_test_is_skipped_without_saying_what_would_bring_it_back() -> None:
    bare = [
        f"{name_of(path)}:{node.lineno}"
        for path in tracked("tests/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("skip", "xfail") and "reason=" not in _line(path, node)
    ]
    assert bare == []


def _line(path: Path, node: ast.Attribute) -> str:
    return "".join(path.read_text().splitlines()[node.lineno - 1 : node.lineno + 3])
