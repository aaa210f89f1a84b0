"""A slot's content on disk: wwwroot, the packages that it is run from, and which of them is deployed."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import httpx

from local_azure.state import write_whole

RUN_FROM_PACKAGE = "WEBSITE_RUN_FROM_PACKAGE"
KEPT_PACKAGES = 5
LARGEST_UNPACKED = 2 * 1024**3


class BadPackage(Exception):
    """The zip cannot be deployed; the message goes into the deployment's log."""


class PackageUnavailable(OSError):
    """The package that WEBSITE_RUN_FROM_PACKAGE names by URL could not be fetched."""


def run_from_package(settings: Mapping[str, str]) -> str | None:
    """Return the setting's value when it is in force: "1" or a URL."""
    value = next((value for name, value in settings.items() if name.upper() == RUN_FROM_PACKAGE), "").strip()
    return value if value == "1" or value.lower().startswith(("http://", "https://")) else None


class Volume:
    """What is /home on Azure; it moves with the code in a swap."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.wwwroot = home / "site" / "wwwroot"
        self.packages = home / "data" / "SitePackages"
        self.deployments = home / "site" / "deployments"
        self._package_name = self.packages / "packagename.txt"

    def prepare(self) -> None:
        """Make the folders of a new volume; repair what a crash during a deployment left behind."""
        old, new = self.wwwroot.with_name("wwwroot.old"), self.wwwroot.with_name("wwwroot.new")
        if not self.wwwroot.exists() and old.exists():
            old.rename(self.wwwroot)
        for leftover in (old, new):
            shutil.rmtree(leftover, ignore_errors=True)
        for folder in (self.wwwroot, self.packages, self.deployments):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def package(self) -> Path | None:
        """The zip that is run when WEBSITE_RUN_FROM_PACKAGE is 1."""
        if not self._package_name.exists():
            return None
        path = self.packages / self._package_name.read_text().strip()
        return path if path.is_file() else None

    async def content(self, settings: Mapping[str, str]) -> Path:
        """Return what a host is to run: the folder wwwroot, or a zip. Raises PackageUnavailable."""
        value = run_from_package(settings)
        if value is None:
            return self.wwwroot
        if value == "1":
            return self.package or self.wwwroot
        return await self._fetched(value)

    def _cached(self, url: str) -> Path:
        return self.packages / f"url-{hashlib.sha256(url.encode()).hexdigest()[:16]}.zip"

    async def _fetched(self, url: str) -> Path:
        """Fetch a package by URL, anew at each start: overwriting the blob and a restart deploys it."""
        try:
            async with httpx.AsyncClient(trust_env=False, follow_redirects=True) as client:
                answer = await client.get(url, timeout=60)
                answer.raise_for_status()
        except httpx.HTTPError as error:
            # The URL may hold a SAS: it is not printed.
            reason = f"HTTP {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else str(error)
            raise PackageUnavailable(
                f"the package at the URL of {RUN_FROM_PACKAGE} could not be read: {reason}"
            ) from None
        path = self._cached(url)
        await asyncio.to_thread(write_whole, path, answer.content)
        return path

    def deploy_package(self, archive: Path, name: str) -> None:
        """Keep the zip as the package to run."""
        check_archive(archive)
        shutil.copyfile(archive, self.packages / name)
        write_whole(self._package_name, name.encode())
        kept = sorted(self.packages.glob("[0-9]*.zip"))[-KEPT_PACKAGES:]
        for old in self.packages.glob("[0-9]*.zip"):
            if old not in kept and old.name != name:
                old.unlink()

    def deploy_files(self, archive: Path) -> int:
        """Replace wwwroot by the zip's files, whole or not at all; returns their number."""
        new, old = self.wwwroot.with_name("wwwroot.new"), self.wwwroot.with_name("wwwroot.old")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        names = check_archive(archive)
        with zipfile.ZipFile(archive) as package:
            for name in names:
                package.extract(name, new)
        self.wwwroot.rename(old)
        new.rename(self.wwwroot)
        shutil.rmtree(old, ignore_errors=True)
        return len(names)

    def read(self, path: str, settings: Mapping[str, str]) -> bytes | None:
        """Return a file of wwwroot as it is deployed (also out of a package), or None."""
        parts = PurePosixPath(path).parts
        if ".." in parts:
            return None
        value = run_from_package(settings)
        archive = self.package if value == "1" else self._cached(value) if value else None
        if archive is not None and archive.is_file():
            with zipfile.ZipFile(archive) as package:
                wanted = "/".join(parts)
                return package.read(wanted) if wanted in package.namelist() else None
        file = self.wwwroot.joinpath(*parts)
        return file.read_bytes() if file.is_file() else None


def check_archive(archive: Path) -> list[str]:
    """Return the names of a zip's files; raises BadPackage on what must not be unpacked."""
    try:
        with zipfile.ZipFile(archive) as package:
            entries = [entry for entry in package.infolist() if not entry.is_dir()]
            if (broken := package.testzip()) is not None:
                raise BadPackage(f"Bad CRC of '{broken}' in the package.")
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadPackage(
            f"End of Central Directory record could not be found, or the zip is damaged: {error}"
        ) from None
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or stat.S_ISLNK(entry.external_attr >> 16):
            raise BadPackage(f"The entry '{entry.filename}' leads out of the package.")
    if sum(entry.file_size for entry in entries) > LARGEST_UNPACKED:
        raise BadPackage("There is not enough space on the disk.")
    return [entry.filename for entry in entries]
