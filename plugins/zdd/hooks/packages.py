"""Packages on the worker: downloaded from package storage through the provider's blob hook, or a path as it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zdd import settings
from zdd.core.package import LIMITS
from zdd.exceptions import BadInput, Unknown

SCHEME = "wasb://"


@contextmanager
def open_package(source: str, *, storage_conn_id: str = settings.STORAGE_CONN_ID) -> Iterator[Path]:
    """Give the path of a package on this worker for the length of a `with`; a downloaded copy is removed after it.

    :param source: `wasb://container/blob.zip`, or a path on the worker.
    :raises BadInput: there is no such package, or access to it is refused.
    :raises Unknown: package storage could not be reached.
    """
    text = source.strip()
    if not text:
        raise BadInput("No package is named", expected=f"{SCHEME}container/blob.zip or a path", found="nothing")
    if not text.startswith(SCHEME):
        if "://" in text:
            # The address may hold a SAS: it is not repeated.
            scheme = text.split("://")[0]
            raise BadInput(
                "The package is at a place that is not supported",
                expected=f"{SCHEME}container/blob.zip or a path on the worker",
                found=f"an address with {scheme}://",
                do="upload the package to package storage",
            )
        yield Path(text)
        return
    container, _, blob = text.removeprefix(SCHEME).partition("/")
    if not container or not blob:
        raise BadInput("The package's address is incomplete", expected=f"{SCHEME}container/blob.zip", found=text)
    with tempfile.TemporaryDirectory(prefix="zdd-package-") as folder:
        target = Path(folder) / "package.zip"
        _download(container, blob, target, storage_conn_id)
        yield target


def _download(container: str, blob: str, target: Path, conn_id: str) -> None:
    from airflow.providers.microsoft.azure.hooks.wasb import WasbHook
    from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError

    hook = WasbHook(wasb_conn_id=conn_id)
    what = f"{SCHEME}{container}/{blob}"
    try:
        size = hook.get_conn().get_blob_client(container, blob).get_blob_properties().size
        if size > LIMITS.total_bytes:
            raise BadInput(
                "The package is too large",
                expected=f"at most {LIMITS.total_bytes} bytes",
                found=f"{what}: {size} bytes",
            )
        hook.get_file(str(target), container, blob)
    except ResourceNotFoundError as error:
        raise BadInput(
            "The package does not exist",
            expected="a blob in package storage",
            found=f"nothing at {what}",
            do=f"upload it, or correct the address (connection {conn_id})",
        ) from error
    except HttpResponseError as error:
        found = f"HTTP {error.status_code} for {what}"
        if error.status_code in (401, 403):
            raise BadInput(
                "Package storage refused access",
                expected="the right to read blobs",
                found=found,
                do=f"check key or identity of connection {conn_id}",
            ) from error
        raise Unknown("Package storage did not answer as expected", found=found, do="it is tried again") from error
    except AzureError as error:
        found = str(error).split("\n")[0]
        raise Unknown("Package storage cannot be reached", found=found, do="it is tried again") from error
