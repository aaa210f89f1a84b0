"""Packages for tests: zips made in memory, right ones and wrong ones."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Mapping

HOST_JSON = '{"version": "2.0", "extensions": {"durableTask": {"hubName": "%Hub%"}}}'
APP = """
import azure.functions as func
import azure.durable_functions as df

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)


@app.orchestration_trigger(context_name="context")
def order(context):
    yield context.call_activity("charge", None)


@app.activity_trigger(input_name="card")
def charge(card: str) -> str:
    return card
"""


def make_zip(files: Mapping[str, str | bytes], *, plain: bool = True, packed: bool = True) -> bytes:
    """A zip of files. `plain`: with a host.json and an app unless `files` says otherwise."""
    content: dict[str, str | bytes] = {"host.json": HOST_JSON, "function_app.py": APP} if plain else {}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as made:
        for name, data in (content | dict(files)).items():
            made.writestr(name, data)
    return buffer.getvalue()


def zip_with_entry(name: str, data: bytes = b"x", *, mode: int = stat.S_IFREG | 0o644, times: int = 1) -> bytes:
    """A right package with one more entry, written as it is: twice, as a link, under any name."""
    buffer = io.BytesIO(make_zip({}))
    with zipfile.ZipFile(buffer, "a") as made:
        for _ in range(times):
            info = zipfile.ZipInfo("placeholder")
            info.filename = name  # past ZipInfo's own cleaning
            info.external_attr = mode << 16
            made.NameToInfo.pop(name, None)  # a second entry of one name is meant: no warning
            made.writestr(info, data)
    return buffer.getvalue()


def encrypted_zip() -> bytes:
    """A right package whose entries carry the encryption flag."""
    data = bytearray(make_zip({}))
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        at = data.find(signature)
        while at >= 0:
            flags = struct.unpack_from("<H", data, at + offset)[0]
            struct.pack_into("<H", data, at + offset, flags | 1)
            at = data.find(signature, at + 4)
    return bytes(data)


def lying_zip() -> bytes:
    """A package whose directory promises fewer bytes of host.json than are packed in it."""
    data = bytearray(make_zip({"data.txt": "y" * 5000}))
    at = data.find(b"data.txt", data.find(b"PK\x01\x02"))
    struct.pack_into("<L", data, at - 46 + 24, 10)
    return bytes(data)


def overlapping_zip() -> bytes:
    """A package with a hundred entries that all share the bytes of one."""
    buffer = io.BytesIO(make_zip({"big.bin": bytes(range(256)) * 40}, packed=False))
    with zipfile.ZipFile(buffer, "a") as made:
        big = made.getinfo("big.bin")
        for number in range(100):
            info = zipfile.ZipInfo(f"copy{number}.bin")
            info.header_offset, info.CRC = big.header_offset, big.CRC
            info.file_size, info.compress_size = big.file_size, big.compress_size
            made.filelist.append(info)
            made.NameToInfo[info.filename] = info
        made._didModify = True  # type: ignore[attr-defined]
    return buffer.getvalue()
