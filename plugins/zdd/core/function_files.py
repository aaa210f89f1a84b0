"""Functions that are declared in files: function.json (every language) and functions.metadata (.NET isolated)."""

from __future__ import annotations

import json
from collections.abc import Iterable

from zdd.core.archive import Archive
from zdd.core.functions import Found, PackageFunction, TriggerKind, trigger_kind
from zdd.core.hub_name import shown
from zdd.core.json_text import decode, load_object
from zdd.exceptions import BadInput

_LIMIT = 1024 * 1024
_METADATA_LIMIT = 16 * 1024 * 1024
# The property of a durable trigger that names it in the task hub, where it differs from the function's name.
_NAME_PROPERTIES = {
    TriggerKind.ORCHESTRATION: "orchestration",
    TriggerKind.ACTIVITY: "activity",
    TriggerKind.ENTITY: "entityname",
}


def function_json_names(archive: Archive) -> tuple[str, ...]:
    """Every `folder/function.json`: the host looks one level deep."""
    return tuple(name for name in archive.names if name.endswith("/function.json") and name.count("/") == 1)


def read_function_json(archive: Archive) -> Found:
    """Functions by function.json; the folder is the function's name."""
    functions: list[PackageFunction] = []
    unknown: list[str] = []
    for path in function_json_names(archive):
        name = path.partition("/")[0]
        document = load_object(archive.read(path, limit=_LIMIT), what=shown(path))
        members = {key.lower(): value for key, value in document.items()}
        function = _function(name, members.get("bindings"), path, disabled=members.get("disabled") is True)
        if function is None:
            unknown.append(f"{shown(path)} names no trigger")
        else:
            functions.append(function)
    return Found(tuple(functions), tuple(unknown))


def read_functions_metadata(archive: Archive) -> Found:
    """Functions by functions.metadata, the list that the .NET isolated build writes."""
    path = "functions.metadata"
    text = decode(archive.read(path, limit=_METADATA_LIMIT), what=path)
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        entries = None
        found = type(error).__name__
    else:
        found = f"a JSON {type(entries).__name__}"
    if not isinstance(entries, list):
        raise BadInput(f"{path} cannot be read", expected="a JSON list", found=found, do="build the package again")
    functions: list[PackageFunction] = []
    unknown: list[str] = []
    for number, entry in enumerate(entries):
        members = {key.lower(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
        name = members.get("name")
        function = _function(name, members.get("bindings"), path) if isinstance(name, str) and name else None
        if function is None:
            unknown.append(f"entry {number} of {path} names no function with a trigger")
        else:
            functions.append(function)
    return Found(tuple(functions), tuple(unknown))


def _function(name: str, bindings: object, source: str, *, disabled: bool = False) -> PackageFunction | None:
    for binding in bindings if isinstance(bindings, Iterable) and not isinstance(bindings, str) else ():
        if not isinstance(binding, dict):
            continue
        members = {key.lower(): value for key, value in binding.items()}
        kind = members.get("type")
        if isinstance(kind, str) and kind.lower().endswith("trigger"):
            alias = members.get(_NAME_PROPERTIES.get(trigger_kind(kind), ""))
            durable_name = alias if isinstance(alias, str) else ""
            return PackageFunction(name, kind, source, durable_name=durable_name, disabled=disabled)
    return None
