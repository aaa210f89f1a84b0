"""Packages of the samples: always the same bytes, and nothing in them that is not the app's."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from demo.package import orders_package, package_bytes, write_package


def test_a_package_has_the_same_bytes_whenever_it_is_made(tmp_path: Path) -> None:
    for copy in ("one", "two"):
        folder = tmp_path / copy
        (folder / "__pycache__").mkdir(parents=True)
        (folder / "__pycache__" / "x.pyc").write_bytes(os.urandom(8))
        (folder / "host.json").write_text("{}")
        (folder / "function_app.py").write_text("app = None\n")
        os.utime(folder / "host.json", (len(copy), 10**9))
    one, two = package_bytes(tmp_path / "one"), package_bytes(tmp_path / "two")
    assert hashlib.sha256(one).hexdigest() == hashlib.sha256(two).hexdigest()


def test_a_package_holds_the_app_at_its_root() -> None:
    names = zipfile.ZipFile(io.BytesIO(orders_package("v2_0_0"))).namelist()
    assert names == ["function_app.py", "host.json", "requirements.txt"]


def test_a_version_that_is_not_there_is_said_so() -> None:
    with pytest.raises(FileNotFoundError, match="expected a Functions app"):
        orders_package("v9_9_9")


def test_a_written_package_is_named_after_its_version(tmp_path: Path) -> None:
    assert write_package("v2_1_0_entity", tmp_path).name == "orders-2.1.0-entity.zip"
