"""Rows of the release store in Azure Tables: read one, and write it only when nobody was quicker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zdd.exceptions import BadInput, Unknown

if TYPE_CHECKING:
    from azure.data.tables import TableClient, TableServiceClient


class StoreRows:
    """The tables of a storage account; each is made when it is first used."""

    def __init__(self, service: TableServiceClient) -> None:
        self._service = service
        self._known: set[str] = set()

    def _table(self, name: str) -> TableClient:
        if name not in self._known:
            self._service.create_table_if_not_exists(name)
            self._known.add(name)
        return self._service.get_table_client(name)

    def read(self, table: str, partition: str, row: str) -> Any:
        """One row with its ETag, or None."""
        from azure.core.exceptions import ResourceNotFoundError

        try:
            return self._table(table).get_entity(partition, row)
        except ResourceNotFoundError:
            return None

    def write(self, table: str, entity: Mapping[str, Any], old: Any) -> bool:
        """Create the row, or replace exactly the one that was read. False: somebody was quicker."""
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
        from azure.data.tables import UpdateMode

        client = self._table(table)
        try:
            if old is None:
                client.create_entity(dict(entity))
            else:
                client.update_entity(
                    dict(entity),
                    mode=UpdateMode.REPLACE,
                    etag=old.metadata["etag"],
                    match_condition=MatchConditions.IfNotModified,
                )
        except (ResourceExistsError, ResourceModifiedError, ResourceNotFoundError):
            return False
        return True

    def of_partition(self, table: str, partition: str) -> list[dict[str, Any]]:
        """Every row of a partition."""
        rows = self._table(table).query_entities("PartitionKey eq @key", parameters={"key": partition})
        return [dict(row) for row in rows]


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the storage SDK into ours."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    try:
        yield
    except ClientAuthenticationError as error:
        raise BadInput(
            "The release store refused the connection's key or identity",
            found=str(error.message).split("\n")[0],
            do="check the storage connection and its rights on tables",
        ) from error
    except HttpResponseError as error:
        found = f"HTTP {error.status_code}: {str(error.message).splitlines()[0]}"
        if error.status_code == 403:
            raise BadInput(
                "The release store refused the connection's rights",
                found=found,
                do="grant Storage Table Data Contributor, or check the key",
            ) from error
        raise Unknown("The release store did not answer as expected", found=found, do="it is tried again") from error
    except AzureError as error:
        raise Unknown(
            "The release store cannot be reached", found=str(error).split("\n")[0], do="it is tried again"
        ) from error
