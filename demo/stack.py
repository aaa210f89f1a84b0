"""The whole stack on this machine: Azurite, local Azure with the orders app in two slots, and Airflow on top.

    with Stack(Path(".local/demo")) as stack:
        print(stack.airflow.url, stack.airflow.credentials.username, stack.airflow.credentials.password)

`Stack.release(...)` gives the parameters of the form. Tests, the demo and the screenshots start it the same way.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobServiceClient

from demo.airflow import Airflow
from demo.cloud import STAGING, Cloud
from demo.package import orders_package
from local_azure.azurite import Azurite
from local_azure.launch import LocalAzure

DAG = "status_check_slot"
PACKAGES = "packages"
AZURE_CONNECTION, STORAGE_CONNECTION = "azure_default", "zdd_storage"
# What the two slots hold when a release begins: the version before the current one still works in staging.
IN_STAGING, IN_PRODUCTION = ("v1_0_0", "1.0.0"), ("v1_1_0", "1.1.0")
# Seconds where the defaults think of minutes: the demo's orders live for seconds, too.
ENVIRONMENT = {"AIRFLOW__ZDD__ARM_POLL_SECONDS": "1", "AIRFLOW__ZDD__RETRY_DELAY_SECONDS": "3"}


class Stack:
    """A context manager; everything of it lives in `home`, which is emptied at the start."""

    def __init__(
        self, home: Path, *, with_airflow: bool = True, say: Callable[[str], None] = lambda _line: None
    ) -> None:
        self.home = home
        self.azurite = Azurite(log=home / "azurite.log")
        self.azure = LocalAzure(home / "azure", storage=self.azurite.connection_string, log=home / "local-azure.log")
        self._with_airflow = with_airflow
        self._say = say
        self._exits = contextlib.ExitStack()
        self._airflow: Airflow | None = None
        self._cloud: Cloud | None = None

    @property
    def airflow(self) -> Airflow:
        """Airflow: `url`, `credentials`, `log`."""
        assert self._airflow is not None, "expected a started stack with Airflow"
        return self._airflow

    @property
    def cloud(self) -> Cloud:
        """The orders app."""
        assert self._cloud is not None, "expected a started stack"
        return self._cloud

    @property
    def storage(self) -> str:
        """Connection string of the account that holds hubs, packages and the release store."""
        return self.azurite.connection_string

    def __enter__(self) -> Stack:
        try:
            self._start()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.close()

    def _start(self) -> None:
        if self.home.exists():
            shutil.rmtree(self.home)
        self.home.mkdir(parents=True)
        self._exits.enter_context(self.azurite)
        self._exits.enter_context(self.azure)
        self._say(f"local Azure on {self.azure.url}, storage in Azurite")
        if self._with_airflow:
            self._airflow = Airflow(self.home / "airflow", connections=self._connections(), environment=ENVIRONMENT)
            self._exits.callback(self._airflow.stop)
            self._airflow.launch()  # it takes 20 s: the app is set up meanwhile
        self._cloud = Cloud(self.azure, self.storage)
        self._exits.callback(self._cloud.close)
        self._fill()
        if self._airflow:
            self._airflow.wait_until_healthy()
            self._say(f"Airflow on {self._airflow.url}")

    def _fill(self) -> None:
        self.cloud.create()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(self._deploy, (STAGING, None), (IN_STAGING, IN_PRODUCTION)))
        self._say(f"app `orders`: {IN_PRODUCTION[1]} in production, {IN_STAGING[1]} in staging")

    def _deploy(self, slot: str | None, version: tuple[str, str]) -> None:
        folder, edition = version
        self.cloud.deploy(slot, orders_package(folder))
        self.cloud.wait_until_up(slot, edition)

    def _connections(self) -> dict[str, dict[str, object]]:
        return {
            AZURE_CONNECTION: {
                "conn_type": "azure",
                "login": self.azure.client_id,
                "password": self.azure.client_secret,
                "extra": {
                    "tenantId": self.azure.tenant_id,
                    "subscriptionId": self.azure.subscription_id,
                    "resource_manager": self.azure.url,
                },
            },
            STORAGE_CONNECTION: {"conn_type": "wasb", "extra": {"connection_string": self.storage}},
        }

    def upload(self, version_folder: str) -> str:
        """Put the package of a version into the package container; returns the form's `package` value."""
        blob = f"orders-{version_folder}.zip"
        with BlobServiceClient.from_connection_string(self.storage) as service:
            with contextlib.suppress(ResourceExistsError):
                service.create_container(PACKAGES)
            service.get_blob_client(PACKAGES, blob).upload_blob(orders_package(version_folder), overwrite=True)
        return f"wasb://{PACKAGES}/{blob}"

    def release(self, version_folder: str, version: str, **changes: object) -> dict[str, object]:
        """Return the parameters of a release of the orders app, quick enough for a demo; `changes` replace some."""
        return {
            "resource_group": self.azure.resource_group,
            "app_name": self.cloud.app,
            "slot_name": STAGING,
            "package": self.upload(version_folder),
            "version": version,
            "settle_seconds": 4,
            "poll_seconds": 2,
            "drain_deadline_minutes": 10,
            "probe_path": "/api/edition",
            **changes,
        }
