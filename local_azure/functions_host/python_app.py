"""Load a Python function app (v2 programming model) from a folder or a zip, and index its functions."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import stat
import sys
import tempfile
import traceback
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

ENTRY_FILE = "function_app.py"
DEPENDENCIES = Path(".python_packages") / "lib" / "site-packages"


class AppLoadError(Exception):
    """The app cannot be loaded; the message is what the host reports in its status."""


class Trigger(StrEnum):
    """The triggers that this host can run; every other one is listed and left alone."""

    HTTP = "httpTrigger"
    ORCHESTRATION = "orchestrationTrigger"
    ACTIVITY = "activityTrigger"
    ENTITY = "entityTrigger"


DURABLE_TRIGGERS = frozenset({Trigger.ORCHESTRATION, Trigger.ACTIVITY, Trigger.ENTITY})
DURABLE_CLIENT = "durableClient"


@dataclass(frozen=True)
class Function:
    """One indexed function: its bindings as plain JSON, and the callable that the SDK made of the user's code."""

    name: str
    trigger: Mapping[str, Any]
    bindings: tuple[Mapping[str, Any], ...]
    call: Callable[..., Any] = field(repr=False)
    script: str = ENTRY_FILE

    @property
    def trigger_type(self) -> str:
        """The binding type of its trigger, e.g. `httpTrigger`."""
        return str(self.trigger["type"])

    @property
    def durable_name(self) -> str:
        """The name under which orchestrations know it: the decorator's own argument, else the function's name."""
        for key in ("orchestration", "activity", "entityName"):
            if self.trigger.get(key):
                return str(self.trigger[key])
        return self.name

    @property
    def client_bindings(self) -> tuple[Mapping[str, Any], ...]:
        """Its durable client bindings."""
        return tuple(binding for binding in self.bindings if binding["type"] == DURABLE_CLIENT)


@dataclass(frozen=True)
class FunctionApp:
    """An app that was loaded: where its files lie, and its functions by name."""

    root: Path
    functions: Mapping[str, Function]

    @property
    def is_durable(self) -> bool:
        """Whether any function needs the Durable extension."""
        return any(f.trigger_type in DURABLE_TRIGGERS or f.client_bindings for f in self.functions.values())


class Content:
    """The deployed files: a folder as it is, or a zip unpacked into a private folder that `close` removes."""

    def __init__(self, place: Path) -> None:
        self._temporary: Path | None = None
        if place.is_dir():
            self.root = place.resolve()
        elif zipfile.is_zipfile(place):
            self._temporary = Path(tempfile.mkdtemp(prefix="functions-host-"))
            try:
                _unpack(place, self._temporary)
            except BaseException:
                self.close()
                raise
            self.root = self._temporary
        else:
            raise AppLoadError(f"expected a folder or a zip package at {place}, found neither")

    def close(self) -> None:
        """Remove what was unpacked."""
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _unpack(package: Path, into: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        for entry in archive.infolist():
            name = PurePosixPath(entry.filename)
            if name.is_absolute() or ".." in name.parts or stat.S_ISLNK(entry.external_attr >> 16):
                raise AppLoadError(f"the package has an entry that leaves its folder: {entry.filename!r}")
        archive.extractall(into)


def load(root: Path) -> FunctionApp:
    """Import `function_app.py` below `root` and index it. An app without that file has no functions.

    The module search path and the working directory become the app's, as in the real worker. Raises AppLoadError.
    """
    entry = root / ENTRY_FILE
    if not entry.exists():
        return FunctionApp(root, {})
    for place in (root / DEPENDENCIES, root):
        if place.is_dir() and str(place) not in sys.path:
            sys.path.insert(0, str(place))
    with contextlib.suppress(OSError):
        os.chdir(root)
    return FunctionApp(root, _index(_import(entry)))


def _import(entry: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("function_app", entry)
    if spec is None or spec.loader is None:
        raise AppLoadError(f"cannot import {entry.name}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["function_app"] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        # Whatever the user's module raises ends here as the host's error state, with its own stack.
        frames = "".join(traceback.format_tb(error.__traceback__)[-3:])
        raise AppLoadError(f"Result: Failure\nException: {type(error).__name__}: {error}\nStack: {frames}") from error
    return module


def _index(module: ModuleType) -> dict[str, Function]:
    apps = {id(value): value for value in vars(module).values() if _is_app(value)}
    if not apps:
        raise AppLoadError("Could not find top level function app instances in function_app.py.")
    if len(apps) > 1:
        raise AppLoadError("More than one top level function app instances are defined in function_app.py.")
    try:
        indexed = apps.popitem()[1].get_functions()
    except Exception as error:
        raise AppLoadError(f"Result: Failure\nException: {type(error).__name__}: {error}") from error
    functions: dict[str, Function] = {}
    for item in indexed:
        function = _function(item)
        if function.name.lower() in {name.lower() for name in functions}:
            raise AppLoadError(f"Function {function.name} does not have a unique function name.")
        functions[function.name] = function
    return functions


def _is_app(value: object) -> bool:
    # A blueprint has decorators but no get_functions of its own; only registered apps are indexed. DFApp is no
    # subclass of FunctionApp, what they share is FunctionRegister.
    from azure.functions import FunctionRegister

    return isinstance(value, FunctionRegister)


def _function(item: Any) -> Function:
    bindings = tuple(_plain(binding) for binding in item.get_dict_repr()["bindings"])
    trigger = next((binding for binding in bindings if str(binding["type"]).lower().endswith("trigger")), None)
    if trigger is None:
        raise AppLoadError(f"Function {item.get_function_name()} does not have a trigger.")
    return Function(item.get_function_name(), trigger, bindings, item.get_user_function())


def _plain(binding: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _value(key, value) for key, value in binding.items() if value is not None}


def _value(key: str, value: Any) -> Any:
    if key == "direction":
        return {0: "IN", 1: "OUT", 2: "INOUT"}.get(int(getattr(value, "value", value)), "IN")
    if isinstance(value, list | tuple | set):
        return [_value("", item) for item in value]
    return getattr(value, "value", value)
