"""The pages name everything that a person can set or be told: no parameter, setting or finding is left out."""

from __future__ import annotations

import ast
import re

from tests.project.tracked import ROOT, tracked
from zdd import release_params

GUIDE, NIGHTLY, REFERENCE = (
    (ROOT / "docs" / f"{name}.md").read_text() for name in ("status-check-slot", "nightly-release", "reference")
)
FORM = (
    release_params.app_params()
    | release_params.package_params()
    | release_params.gate_params()
    | release_params.check_params()
    | release_params.connection_params()
)


def test_the_guide_tells_every_parameter_of_the_form() -> None:
    assert [name for name in FORM if f"`{name}`" not in GUIDE] == []


def test_the_guide_tells_the_forms_own_defaults() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]+?)`? \|", GUIDE, flags=re.MULTILINE))
    defaults = {name: FORM[name].value for name in told if name in FORM and FORM[name].value not in (None, "")}
    words = {True: "on", False: "off"}
    assert {name: words.get(value, str(value)) for name, value in defaults.items()} == {
        name: told[name] for name in defaults
    }


def test_the_guide_tells_every_choice_of_the_form() -> None:
    choices = {choice for param in FORM.values() for choice in param.schema.get("enum", ())}
    assert {choice for choice in choices if choice not in GUIDE} == set()


def test_the_nightly_page_tells_every_parameter_of_the_window() -> None:
    assert [name for name in release_params.window_params() if f"`{name}`" not in NIGHTLY] == []


def test_the_reference_tells_every_setting() -> None:
    source = (ROOT / "plugins" / "zdd" / "settings.py").read_text()
    read = set(re.findall(r'conf\.get\w*\(\s*SECTION,\s*"(\w+)"', source))
    assert read
    assert {name for name in read if f"`{name}`" not in REFERENCE} == set()


def test_the_reference_tells_every_finding_of_the_slot_rules() -> None:
    codes = {
        node.args[0].value
        for path in tracked("plugins/zdd/core/slot_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("error", "warning", "info", "make")
        and isinstance(node.args[0], ast.Constant)
    }
    assert codes
    assert {code for code in codes if f"`{code}`" not in REFERENCE} == set()


def test_the_reference_names_every_operator() -> None:
    classes = {
        node.name
        for path in tracked("plugins/zdd/operators/*.py", "plugins/zdd/sensors/*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and node.name.endswith(("Operator", "Sensor"))
    }
    bases = {"ReleaseOperator", "GatedOperator"}
    assert {name for name in classes - bases if f"`{name}`" not in REFERENCE and f"{name}(" not in REFERENCE} == set()
