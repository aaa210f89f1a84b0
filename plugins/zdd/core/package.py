"""A package before it is deployed: what it is, which hub settings it brings and which functions, without running it."""

from __future__ import annotations

import hashlib
import io
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from zdd.core.app_settings import AppSettings
from zdd.core.archive import Archive, PackageLimits, open_archive
from zdd.core.function_files import function_json_names, read_function_json, read_functions_metadata
from zdd.core.functions import Found, PackageFunction, TriggerKind
from zdd.core.host_json_keys import SIZE_LIMIT, read_host_json
from zdd.core.hub_name import shown
from zdd.core.python_functions import DEFAULT_SCRIPT, read_python
from zdd.exceptions import BadInput, Unknown

__all__ = ["PackageFunction", "PackageLimits", "PackageReport", "TriggerKind", "inspect_package"]

LIMITS = PackageLimits()


@dataclass(frozen=True)
class PackageReport:
    """What a package holds. `unknown` lists what only running it would tell; nothing may be concluded from there."""

    sha256: str
    size: int
    unpacked_size: int
    files: int
    host_json: bytes = field(repr=False)
    functions: tuple[PackageFunction, ...] = ()
    warnings: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def of_kind(self, kind: TriggerKind) -> tuple[PackageFunction, ...]:
        """Functions of one trigger kind."""
        return tuple(function for function in self.functions if function.kind is kind)

    @property
    def orchestrators(self) -> tuple[str, ...]:
        """Names of the orchestrators as the task hub knows them."""
        return tuple(function.durable_name for function in self.of_kind(TriggerKind.ORCHESTRATION))

    @property
    def activities(self) -> tuple[str, ...]:
        """Names of the activities as the task hub knows them."""
        return tuple(function.durable_name for function in self.of_kind(TriggerKind.ACTIVITY))

    @property
    def entities(self) -> tuple[str, ...]:
        """Names of the entities."""
        return tuple(function.durable_name for function in self.of_kind(TriggerKind.ENTITY))

    @property
    def running_by_themselves(self) -> tuple[PackageFunction, ...]:
        """Functions with triggers that would take work in staging: neither HTTP, durable nor warm-up, nor disabled."""
        return tuple(f for f in self.functions if f.kind.runs_by_itself_in_staging and not f.disabled)

    @property
    def function_names(self) -> tuple[str, ...]:
        """Names that the running app must list: of each function whose name could be told."""
        return tuple(function.name for function in self.functions if function.name_known)

    def to_json(self) -> dict[str, object]:
        """A small dict for evidence; host.json and long lists stay out."""
        kinds = {kind.value: sorted(f.name for f in self.of_kind(kind)) for kind in TriggerKind if self.of_kind(kind)}
        return {
            "sha256": self.sha256,
            "size": self.size,
            "files": self.files,
            "functions": kinds,
            "warnings": list(self.warnings),
            "unknown": list(self.unknown),
        }


def inspect_package(
    source: str | os.PathLike[str] | bytes | BinaryIO,
    *,
    settings: Mapping[str, str] | None = None,
    limits: PackageLimits = LIMITS,
) -> PackageReport:
    """Read a package from a path, its bytes or a seekable file.

    :param settings: the settings of the slot that will run it, where known: they decide the Functions generation
        (FUNCTIONS_EXTENSION_VERSION) and the Python script (PYTHON_SCRIPT_FILE_NAME).
    :raises BadInput: the package must not be deployed; the message names the entry and the rule.
    :raises Unknown: it could not be read this time.
    """
    app = AppSettings(settings or {})
    with _opened(source) as file:
        sha256, size = _digest(file)
        with open_archive(file, size, limits) as archive:
            host_json = _host_json(archive)
            host = read_host_json(host_json, app)
            archive.verify()
            found = _functions(archive, app.get("PYTHON_SCRIPT_FILE_NAME") or DEFAULT_SCRIPT)
            return PackageReport(
                sha256=sha256,
                size=size,
                unpacked_size=archive.unpacked_size,
                files=len(archive.names),
                host_json=host_json,
                functions=found.functions,
                warnings=tuple(dict.fromkeys([*host.warnings, *found.warnings, *_double_names(found)])),
                unknown=found.unknown,
            )


@contextmanager
def _opened(source: str | os.PathLike[str] | bytes | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    if not isinstance(source, str | os.PathLike):
        yield source
        return
    path = Path(source)
    do = "give the path of a zip that the Airflow worker can read, or a blob"
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise BadInput("The package does not exist", expected="a zip file", found=f"no file {path}", do=do) from None
    except (PermissionError, IsADirectoryError, NotADirectoryError, ValueError) as error:
        found = f"{type(error).__name__} on {str(path)!a}"
        raise BadInput("The package cannot be read", expected="a zip file", found=found, do=do) from None
    except OSError as error:
        raise Unknown("The package could not be opened", found=f"{error.strerror} on {path}", do="try again") from error
    with file:
        yield file


def _digest(file: BinaryIO) -> tuple[str, int]:
    file.seek(0)
    digest = hashlib.sha256()
    size = 0
    while chunk := file.read(1024 * 1024):
        digest.update(chunk)
        size += len(chunk)
    return digest.hexdigest(), size


def _host_json(archive: Archive) -> bytes:
    if "host.json" in archive:
        return archive.read("host.json", limit=SIZE_LIMIT)
    deeper = [name for name in archive.names if name.endswith("/host.json") and not name.startswith(".")]
    other = [name for name in archive.names if name.lower() == "host.json"]
    if other:
        found, do = shown(other[0]), "name it host.json: case counts on Linux"
    elif len(deeper) == 1:
        folder = deeper[0].rpartition("/")[0]
        found = f"{shown(deeper[0])}: everything lies one folder down"
        do = f"zip the content of {shown(folder)}, not the folder itself"
    else:
        found = f"{len(archive.names)} files, none of them host.json"
        do = "zip the output folder of the build (the one with host.json)"
    raise BadInput("The package is no function app", expected="host.json at its root", found=found, do=do)


def _functions(archive: Archive, script: str) -> Found:
    found: list[Found] = []
    if function_json_names(archive):
        found.append(read_function_json(archive))
    if "functions.metadata" in archive:
        found.append(read_functions_metadata(archive))
    if script in archive:
        found.append(read_python(archive, script))
    if found:
        merged = Found(
            tuple(f for part in found for f in part.functions),
            tuple(text for part in found for text in part.unknown),
            tuple(text for part in found for text in part.warnings),
        )
        if len(found) > 1:
            mixed = "the package declares functions in more than one way; the host takes only one of them"
            return Found(merged.functions, merged.unknown, (*merged.warnings, mixed))
        return merged
    if "package.json" in archive:
        return Found(unknown=("functions of the Node.js v4 model are registered by running the code: not seen",))
    raise BadInput(
        "The package holds no functions",
        expected=f"function.json below a folder, functions.metadata, or {shown(script)}",
        found="none of them beside host.json",
        do="check the build: its output seems to be missing",
    )


def _double_names(found: Found) -> list[str]:
    counts = Counter(function.name.lower() for function in found.functions if function.name_known)
    return [f"the function {shown(name)} is declared {count} times" for name, count in counts.items() if count > 1]
