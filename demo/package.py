"""Zips one version folder of a sample into a deployment package, always into the same bytes."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
LEFT_OUT = {"__pycache__", ".venv", ".git", ".funcignore", "local.settings.json"}
# The oldest moment that a zip can carry; a package's sha256 must not depend on when a folder was checked out.
EPOCH = (1980, 1, 1, 0, 0, 0)


def package_bytes(folder: Path) -> bytes:
    """Return the zip of `folder`: entries sorted, dates and modes fixed, caches and local settings left out."""
    files = sorted(
        path for path in folder.rglob("*") if path.is_file() and LEFT_OUT.isdisjoint(path.relative_to(folder).parts)
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def orders_package(version_folder: str) -> bytes:
    """Return the package of one version of the orders app, e.g. `v2_0_0`."""
    folder = SAMPLES / "orders" / version_folder
    if not (folder / "host.json").is_file():
        raise FileNotFoundError(f"expected a Functions app with a host.json in {folder}, found none")
    return package_bytes(folder)


def write_package(version_folder: str, directory: Path) -> Path:
    """Write the package of one version as `orders-<version>.zip` into `directory` and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / f"orders-{version_folder.removeprefix('v').replace('_', '.', 2).replace('_', '-')}.zip"
    target.write_bytes(orders_package(version_folder))
    return target
