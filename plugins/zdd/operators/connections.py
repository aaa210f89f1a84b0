"""Try the connections of a release, and say what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from zdd.hooks.release_store import ReleaseStoreHook
from zdd.operators.base import ReleaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class CheckAzureOperator(ReleaseOperator):
    """Tries the azure connection, and whether it may read the settings of the app named, if one is."""

    def act(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Try it."""
        ok, message = self.azure.test_connection()
        if not ok:
            raise AirflowFailException(message)
        self.log.info("%s", message)
        if not self.app_name.strip():
            return {"message": message}
        names = [slot for slot in (self.production, self.staging) if self.apps.exists(slot)]
        hubs = {}
        for name in names:
            bound = self.apps.read_binding(name)
            hubs[name.label] = bound.binding.fingerprint() if bound else "nothing deployed"
            self.log.info("%s: %s", name.label, hubs[name.label])
        if not names:
            raise AirflowFailException(f"{message}; but there is no app {self.app_name} in {self.resource_group}")
        return {"message": message, "hubs": hubs}


class CheckStorageOperator(ReleaseOperator):
    """Tries the storage connection: the tables of the release store, and the blobs of the packages."""

    def act(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Try it."""
        ok, message = ReleaseStoreHook(self.storage_conn_id).test_connection()
        if not ok:
            raise AirflowFailException(message)
        from airflow.providers.microsoft.azure.hooks.wasb import WasbHook

        blobs, said = WasbHook(wasb_conn_id=self.storage_conn_id).test_connection()
        if not blobs:
            raise AirflowFailException(f"{message}; but package storage cannot be read: {said}")
        self.log.info("%s; package storage: %s", message, said)
        return {"message": message}
