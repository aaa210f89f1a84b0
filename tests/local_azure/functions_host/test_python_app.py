"""Loading apps from folders and zips."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from local_azure.functions_host.python_app import AppLoadError, Content, FunctionApp

from .conftest import APPS

Load = Callable[[Path], FunctionApp]
ONE_ROUTE = """
import azure.functions as func
app = func.FunctionApp()
@app.route(route="hello")
def hello(req): return "hello"
"""


def write(root: Path, text: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "function_app.py").write_text(text)
    return root


def test_functions_of_blueprints_are_indexed_with_their_bindings(load_app: Load) -> None:
    app = load_app(APPS / "everything")
    assert app.is_durable
    assert app.functions["extra"].trigger["route"] == "extra/{number:int}"
    assert app.functions["nightly"].trigger_type == "timerTrigger"
    assert app.functions["counter"].durable_name == "Counter"
    start = app.functions["http_start"]
    assert start.trigger["authLevel"] == "anonymous"
    assert start.trigger["methods"] == ["POST"]
    assert [binding["name"] for binding in start.client_bindings] == ["client"]


def test_an_app_without_durable_functions_needs_no_extension(load_app: Load, tmp_path: Path) -> None:
    assert not load_app(write(tmp_path, ONE_ROUTE)).is_durable


def test_a_folder_without_function_app_has_no_functions(load_app: Load, tmp_path: Path) -> None:
    assert load_app(tmp_path).functions == {}


def test_dependencies_beside_the_app_can_be_imported(load_app: Load, tmp_path: Path) -> None:
    vendored = tmp_path / ".python_packages" / "lib" / "site-packages"
    vendored.mkdir(parents=True)
    (vendored / "vendored.py").write_text("NAME = 'fromvendored'")
    text = ONE_ROUTE.replace('"hello")', "vendored.NAME)").replace("import azure", "import vendored\nimport azure", 1)
    app = load_app(write(tmp_path, text))
    assert app.functions["hello"].trigger["route"] == "fromvendored"


def test_a_zip_is_unpacked_into_a_private_folder_that_goes_away(tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("function_app.py", ONE_ROUTE)
    content = Content(package)
    assert (content.root / "function_app.py").read_text() == ONE_ROUTE
    assert content.root.stat().st_mode & 0o077 == 0
    content.close()
    assert not content.root.exists()


def test_a_zip_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    package = tmp_path / "app.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("../evil.py", "")
    with pytest.raises(AppLoadError, match=r"leaves its folder: '\.\./evil\.py'"):
        Content(package)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("x = 1", "Could not find top level function app"),
        (ONE_ROUTE + "other = func.FunctionApp()", "More than one top level function app"),
        (
            ONE_ROUTE + "@app.function_name('hello')\n@app.route(route='b')\ndef other(req): return ''",
            "unique function name",
        ),
    ],
)
def test_what_is_wrong_with_an_app_is_said(load_app: Load, tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AppLoadError, match=message):
        load_app(write(tmp_path, text))
