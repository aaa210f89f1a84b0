"""What local Azure remembers: one JSON document per resource in the state directory, written whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Generic, TypeVar

from local_azure.model import Document, Plan, ResourceGroup, Site

D = TypeVar("D", bound=Document)


class StateInUse(RuntimeError):
    """Another local Azure works on the same state directory."""


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file's content so that a reader, also one after a crash, sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


class Collection(Generic[D]):
    """The documents of one kind, each in a file `<key>.json`; keys are compared without regard to case."""

    def __init__(self, directory: Path, kind: type[D]) -> None:
        self._directory = directory
        self._documents: dict[str, D] = {}
        if directory.is_dir():
            for leftover in directory.glob("*.new"):
                leftover.unlink()
            for path in sorted(directory.glob("*.json")):
                self._documents[path.stem] = kind.model_validate_json(path.read_bytes())

    def __iter__(self) -> Iterator[D]:
        return iter(list(self._documents.values()))

    def get(self, key: str) -> D | None:
        """Return the document of this key, or None."""
        return self._documents.get(key.lower())

    def put(self, key: str, document: D) -> None:
        """Keep a document: first on disk, then for readers."""
        write_whole(self._directory / f"{key.lower()}.json", document.model_dump_json(indent=1).encode())
        self._documents[key.lower()] = document

    def remove(self, key: str) -> None:
        """Forget a document; it need not exist."""
        (self._directory / f"{key.lower()}.json").unlink(missing_ok=True)
        self._documents.pop(key.lower(), None)


def group_key(subscription: str, name: str) -> str:
    """Key of a resource group's document."""
    return f"{subscription}_{name}"


def plan_key(subscription: str, resource_group: str, name: str) -> str:
    """Key of a plan's document."""
    return f"{subscription}_{resource_group}_{name}"


class State:
    """All that survives a restart: documents, the tokens' signing key, and the content of sites."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        self.groups = Collection(directory / "resource-groups", ResourceGroup)
        self.plans = Collection(directory / "plans", Plan)
        self.sites = Collection(directory / "sites", Site)
        self.signing_key = self._signing_key()

    def _take_lock(self) -> IO[bytes]:
        file = (self.directory / "lock").open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise StateInUse(
                f"expected to be the only local Azure on {self.directory}, found another one: "
                "stop it or choose another --state"
            ) from None
        return file

    def _signing_key(self) -> bytes:
        path = self.directory / "signing.key"
        if not path.exists():
            write_whole(path, secrets.token_bytes(32))
            path.chmod(0o600)
        return path.read_bytes()

    def save(self, site: Site) -> Site:
        """Keep a site's document and return it."""
        self.sites.put(site.name, site)
        return site

    def volume(self, site: str, volume: str) -> Path:
        """The directory of a slot's content (its /home): site/wwwroot, data/SitePackages, deployments."""
        return self.directory / "content" / site.lower() / volume

    def log_file(self, site: str, slot: str) -> Path:
        """Where the output of a slot's Functions hosts goes."""
        path = self.directory / "logs" / site.lower() / f"{slot.lower()}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def forget_content(self, site: str, volume: str) -> None:
        """Delete the content of a slot, and the site's folder when it was the last."""
        path = self.volume(site, volume)
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()

    def close(self) -> None:
        """Let another process have the state."""
        self._lock.close()
