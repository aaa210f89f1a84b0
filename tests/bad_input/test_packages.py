"""Packages that must not be deployed: what is given, and what must be said about it."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.zips import (
    HOST_JSON,
    encrypted_zip,
    lying_zip,
    make_zip,
    overlapping_zip,
    zip_with_entry,
)
from zdd.core.package import PackageLimits, inspect_package
from zdd.exceptions import BadInput

SMALL = PackageLimits(entries=5, total_bytes=20_000, ratio=10, ratio_counts_from=1000, directory_bytes=2_000)

CASES: list[tuple[str, Callable[[], bytes], str]] = [
    ("an empty file", lambda: b"", "found: an empty file"),
    ("text", lambda: b"hello, I am a package", "The package is not a zip file"),
    ("a zip cut off", lambda: make_zip({})[:-30], "The package is not a zip file"),
    ("a zip with its middle torn out", lambda: make_zip({})[:50] + make_zip({})[90:], "The package cannot be read"),
    ("a file that lies about its size", lying_zip, "The package cannot be read"),
    ("no host.json", lambda: make_zip({"a.txt": "x"}, plain=False), "found: 1 files, none of them host.json"),
    (
        "all in a folder",
        lambda: make_zip({"app/host.json": HOST_JSON, "app/function_app.py": ""}, plain=False),
        "found: 'app/host.json': everything lies one folder down; do: zip the content of 'app', not the folder itself",
    ),
    ("host.json in capitals", lambda: make_zip({"Host.JSON": HOST_JSON}, plain=False), "case counts on Linux"),
    ("no functions", lambda: make_zip({"host.json": HOST_JSON}, plain=False), "The package holds no functions"),
    ("a way out", lambda: zip_with_entry("../evil.py"), "'../evil.py' has '..' in its path"),
    ("a way out in the middle", lambda: zip_with_entry("a/../../evil.py"), "has '..' in its path"),
    ("an absolute name", lambda: zip_with_entry("/etc/passwd"), "is an absolute path"),
    ("a drive", lambda: zip_with_entry("C:/windows/evil.dll"), "names a drive or a stream"),
    ("a stream", lambda: zip_with_entry("host.json:hidden"), "names a drive or a stream"),
    ("backslashes", lambda: zip_with_entry("..\\evil.py"), "has a backslash"),
    ("backslashes inside", lambda: zip_with_entry("bin\\app.dll"), "has a backslash"),
    ("a NUL", lambda: zip_with_entry("a.py\x00.txt"), "has control characters"),
    ("a line break", lambda: zip_with_entry("a\n.py"), "has control characters"),
    ("an empty part", lambda: zip_with_entry("a//b.py"), "has '' in its path"),
    ("a dot part", lambda: zip_with_entry("./b.py"), "has '.' in its path"),
    ("a device", lambda: zip_with_entry("lib/NUL.txt"), "is a device name on Windows"),
    ("a trailing dot", lambda: zip_with_entry("lib./x.py"), "ends with a dot or blank"),
    ("a link", lambda: zip_with_entry("link", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "is a symbolic link"),
    ("a pipe", lambda: zip_with_entry("pipe", mode=stat.S_IFIFO), "is neither a file nor a folder"),
    ("a name twice", lambda: zip_with_entry("a.py", times=2), "'a.py' is there twice"),
    ("host.json twice", lambda: zip_with_entry("host.json"), "'host.json' is there twice"),
    ("a case collision", lambda: make_zip({"a.py": "", "A.PY": ""}), "equal where case does not count"),
    ("a case collision of folders", lambda: make_zip({"Lib/a.py": "", "lib/a.py": ""}), "beside 'Lib/a.py'"),
    ("the same letters otherwise", lambda: make_zip({"caf\u00e9": "", "cafe\u0301": ""}), "equal where case"),
    ("a file that is a folder", lambda: make_zip({"a": "", "a/b": ""}), "is a file and a folder at once"),
    ("encrypted", encrypted_zip, "is encrypted"),
    ("too many entries", lambda: make_zip({str(n): "" for n in range(9)}), "expected: at most 5; found: 11"),
    (
        "too large unpacked",
        lambda: make_zip({f"{n}.bin": bytes(range(256)) * 60 for n in range(2)}),
        "all files unpacked (expected: at most 20000 bytes",
    ),
    ("a bomb", lambda: make_zip({"bomb": b"\0" * 15_000}), "zip bomb"),
    ("a huge list of entries", lambda: make_zip({"n" * 3000: ""}), "the list of entries"),
    ("host.json is no JSON", lambda: make_zip({"host.json": "{"}), "host.json cannot be read (expected: a JSON object"),
    ("function.json is no JSON", lambda: make_zip({"A/function.json": "["}), "'A/function.json' cannot be read"),
    ("functions.metadata is no list", lambda: make_zip({"functions.metadata": "{}"}), "expected: a JSON list"),
]


@pytest.mark.parametrize(("make", "said"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_package_that_must_not_be_deployed_is_refused_with_the_reason(make: Callable[[], bytes], said: str) -> None:
    with pytest.raises(BadInput) as raised:
        inspect_package(make(), limits=SMALL)
    assert said in str(raised.value)
    assert "; do: " in str(raised.value)


def test_entries_that_share_their_bytes_are_refused() -> None:
    with pytest.raises(BadInput, match="The entries of the package overlap"):
        inspect_package(overlapping_zip())


def test_host_json_has_a_size_limit() -> None:
    with pytest.raises(BadInput, match=r"'host\.json' in the package is too large"):
        inspect_package(make_zip({"host.json": HOST_JSON + " " * 1_100_000}, packed=False))


def test_a_method_that_deployment_cannot_unpack_is_refused() -> None:
    buffer = io.BytesIO(make_zip({}))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_LZMA) as made:
        made.writestr("x.txt", "x")
    with pytest.raises(BadInput, match="is packed with method 14"):
        inspect_package(buffer.getvalue())


@pytest.mark.parametrize("name", ["missing.zip", ".", "a\x00b"])
def test_a_package_that_is_not_there_is_bad_input(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="a zip that the Airflow worker can read"):
        inspect_package(str(tmp_path / name))


def test_ordinary_packages_keep_well_within_the_limits() -> None:
    files = {f".python_packages/lib/site-packages/lib{n}/m{k}.py": "x = 1\n" for n in range(30) for k in range(30)}
    assert inspect_package(make_zip(files)).files == 902
