"""A zip read as data: every rule about names, links, sizes and ratio is checked before anything in it is looked at.

Nothing is extracted and nothing is run. What the deployment endpoint would unpack differently on Windows and on Linux,
or outside its folder, is refused here.
"""

from __future__ import annotations

import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from zdd.core.hub_name import shown
from zdd.exceptions import BadInput

_CHUNK = 1024 * 1024
_RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10))}
# What zipfile and zlib raise on archives that are broken or made to break readers.
_BROKEN = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
    OSError,
)
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
# End records with the longest comment, and the zip64 record and locator before them.
_TAIL = 22 + 65_535 + 56 + 20


@dataclass(frozen=True)
class PackageLimits:
    """How large a package may be before it is taken for an attack or a mistake."""

    entries: int = 20_000
    total_bytes: int = 1024**3
    ratio: int = 100
    # Below this size a ratio says nothing: an empty log of a few KB packs better than 100:1.
    ratio_counts_from: int = 1024 * 1024
    # The list of entries is read into memory at once; the bound holds its names and comments to a sensible size.
    directory_bytes: int = 32 * 1024 * 1024


class Archive:
    """The files of a zip that passed all checks. Made by `open_archive` only."""

    def __init__(self, zip_file: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]) -> None:
        self._zip = zip_file
        self._entries = entries

    @property
    def names(self) -> tuple[str, ...]:
        """Paths of all files, in the order of the archive; directories are left out."""
        return tuple(self._entries)

    @property
    def unpacked_size(self) -> int:
        """Bytes of all files together."""
        return sum(info.file_size for info in self._entries.values())

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str, *, limit: int) -> bytes:
        """Content of one file. Raises BadInput when it is longer than `limit`."""
        info = self._entries[name]
        if info.file_size > limit:
            raise BadInput(
                f"{shown(name)} in the package is too large",
                expected=f"at most {limit} bytes",
                found=f"{info.file_size} bytes",
                do="check what the build puts into this file",
            )
        with _translated():
            return self._zip.read(info)

    def verify(self) -> None:
        """Unpack every file into nothing: sizes and checksums must be what the directory of the zip promises."""
        for info in self._entries.values():
            with _translated(), self._zip.open(info) as stream:
                while stream.read(_CHUNK):
                    pass


@contextmanager
def open_archive(file: BinaryIO, size: int, limits: PackageLimits) -> Iterator[Archive]:
    """The archive in a seekable file. Raises BadInput that names the entry and the rule."""
    if size > limits.total_bytes:
        raise _too_large("the zip itself", size, limits.total_bytes)
    _check_directory_size(file, size, limits)
    with _translated():
        zip_file = zipfile.ZipFile(file)
    with zip_file:
        infos = zip_file.infolist()
        if len(infos) > limits.entries:
            raise BadInput(
                "The package has too many entries",
                expected=f"at most {limits.entries}",
                found=str(len(infos)),
                do="leave development files and caches out of the package, or use remote build",
            )
        _check_sizes(infos, size, limits)
        yield Archive(zip_file, _checked_names(infos))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except _BROKEN as error:
        # The texts of these errors quote names and bytes of the archive: only their kind is told.
        raise BadInput(
            "The package cannot be read",
            expected="a complete zip file without encryption",
            found=f"{type(error).__name__} while reading it",
            do="build the package again and check that the upload was complete",
        ) from None


def _check_directory_size(file: BinaryIO, size: int, limits: PackageLimits) -> None:
    """Refuse a huge list of entries before zipfile reads all of it into memory."""
    file.seek(max(0, size - _TAIL))
    tail = file.read(_TAIL)
    at = tail.rfind(_END)
    if at < 0 or len(tail) < at + 22:
        found = "an empty file" if size == 0 else "no end-of-archive record (cut off, or no zip at all)"
        raise BadInput(
            "The package is not a zip file", expected="a zip file", found=found, do="build the package again"
        )
    declared = struct.unpack_from("<L", tail, at + 12)[0]
    record = tail.rfind(_END_64, 0, at)
    if record >= 0 and len(tail) >= record + 48:
        declared = max(declared if declared != 0xFFFFFFFF else 0, struct.unpack_from("<Q", tail, record + 40)[0])
    if declared > limits.directory_bytes:
        raise _too_large("the list of entries", declared, limits.directory_bytes)


def _check_sizes(infos: list[zipfile.ZipInfo], size: int, limits: PackageLimits) -> None:
    unpacked = sum(info.file_size for info in infos)
    if unpacked > limits.total_bytes:
        raise _too_large("all files unpacked", unpacked, limits.total_bytes)
    if sum(info.compress_size for info in infos) > size:
        raise BadInput(
            "The entries of the package overlap",
            expected="each entry with bytes of its own",
            found="entries that share them",
            do="do not use this package: such a file is made to harm",
        )
    for name, packed, full in [("the package", size, unpacked)] + [
        (shown(info.filename), info.compress_size, info.file_size) for info in infos
    ]:
        if full > limits.ratio_counts_from and full > limits.ratio * max(packed, 1):
            raise BadInput(
                f"The compression of {name} is beyond belief (a zip bomb?)",
                expected=f"at most {limits.ratio}:1",
                found=f"{full} bytes in {packed}",
                do="leave that file out of the package",
            )


def _too_large(what: str, found: int, limit: int) -> BadInput:
    return BadInput(
        f"The package is too large: {what}",
        expected=f"at most {limit} bytes",
        found=f"{found} bytes",
        do="leave out what the app does not need",
    )


def _checked_names(infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    folded: dict[str, str] = {}
    directories: set[str] = set()
    for info in infos:
        path = _checked_name(info)
        folder = path
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            directories.add(_fold(folder))
        if info.is_dir():
            directories.add(_fold(path))
            continue
        if (other := folded.get(_fold(path))) is not None:
            rule = "twice" if other == path else f"beside {shown(other)}: equal where case does not count"
            raise _bad_name(path, f"is there {rule}")
        folded[_fold(path)] = path
        entries[path] = info
    for key in directories & folded.keys():
        raise _bad_name(folded[key], "is a file and a folder at once")
    return entries


def _checked_name(info: zipfile.ZipInfo) -> str:
    name = info.orig_filename  # zipfile cuts `filename` at a NUL and hides the rest
    mode = info.external_attr >> 16
    kind = stat.S_IFMT(mode)
    if stat.S_ISLNK(mode):
        raise _bad_name(name, "is a symbolic link")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _bad_name(name, "is neither a file nor a folder")
    if info.flag_bits & 0x2041:  # traditional, strong, and encrypted directory
        raise _bad_name(name, "is encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _bad_name(name, f"is packed with method {info.compress_type}; deploying needs deflate")
    if "\\" in name:
        raise _bad_name(name, "has a backslash: it is a folder on Windows and part of a name on Linux")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in name):
        raise _bad_name(name, "has control characters")
    if name.startswith("/"):
        raise _bad_name(name, "is an absolute path")
    if ":" in name:
        raise _bad_name(name, "names a drive or a stream")
    path = name.removesuffix("/")
    for part in path.split("/"):
        if part in ("", ".", ".."):
            raise _bad_name(name, f"has {part!r} in its path")
        if part.partition(".")[0].rstrip(" ").lower() in _RESERVED:
            raise _bad_name(name, "is a device name on Windows")
        if part[-1] in ". ":
            raise _bad_name(name, "has a part that ends with a dot or blank, which Windows drops")
    return path


def _fold(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _bad_name(name: str, why: str) -> BadInput:
    return BadInput(
        f"The package entry {shown(name, 120)} {why}",
        expected="plain relative names, each once whatever the case, of plain files",
        do="build the package again without it",
    )
