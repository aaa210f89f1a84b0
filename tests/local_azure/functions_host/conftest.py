"""Apps and hosts for the tests of the Functions host."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_azure.functions_host.python_app import FunctionApp, load

from .child import Child

APPS = Path(__file__).parent / "apps"


@pytest.fixture(scope="session")
def everything(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """One host of the app that has a function of every kind, for all tests that do not stop it (start: 2 s)."""
    with Child(APPS / "everything", azurite, "HostShared", log=tmp_path_factory.mktemp("host") / "host.log") as child:
        assert child.status()["state"] == "Running", child.log.read_text()
        yield child


@pytest.fixture
def load_app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], FunctionApp]]:
    """Load an app in this process, and undo what that does to the process afterwards."""
    place, path, modules = Path.cwd(), list(sys.path), set(sys.modules)

    def load_and_forget(root: Path) -> FunctionApp:
        return load(root)

    yield load_and_forget
    os.chdir(place)
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name in ("function_app", "extra", "vendored") or name.startswith("extra."):
            del sys.modules[name]
