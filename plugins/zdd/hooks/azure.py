"""The `azure` connection: the public SDK's client for tasks, a light async reader for triggers."""

from __future__ import annotations

import asyncio
import logging
from functools import cached_property
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from zdd import settings
from zdd.exceptions import BadInput, Unknown
from zdd.hooks.arm_reader import ArmReader
from zdd.hooks.azure_account import AzureAccount, http_policies

if TYPE_CHECKING:
    from azure.mgmt.web import WebSiteManagementClient


def quiet_azure_logs() -> None:
    """Keep azure-core from logging each request: its lines tell a person on call nothing and may carry query keys."""
    for name in ("azure", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)


class AzureHook(BaseHook):
    """One `azure` connection: credential, management client for tasks, light reader for triggers."""

    conn_name_attr = "azure_conn_id"
    default_conn_name = settings.AZURE_CONN_ID
    conn_type = "azure"
    hook_name = "Azure (zdd)"

    def __init__(self, azure_conn_id: str = settings.AZURE_CONN_ID) -> None:
        super().__init__()
        self.azure_conn_id = azure_conn_id
        quiet_azure_logs()

    @cached_property
    def account(self) -> AzureAccount:
        """The connection, read once (in a task; triggers call `load` first)."""
        return AzureAccount.from_connection(self.get_connection(self.azure_conn_id))

    async def load(self) -> AzureAccount:
        """Read the connection without blocking the triggerer's event loop."""
        if "account" not in self.__dict__:
            from airflow.providers.common.compat.connection import get_async_connection

            self.__dict__["account"] = AzureAccount.from_connection(await get_async_connection(self.azure_conn_id))
        return self.account

    def get_conn(self) -> WebSiteManagementClient:
        """Return the public SDK's client, unpatched. Tasks only: its import costs 0.8 s and 225 MB."""
        from azure.mgmt.web import WebSiteManagementClient

        account = self.account
        return WebSiteManagementClient(
            account.credential(),
            account.subscription_id,
            base_url=account.resource_manager,
            credential_scopes=[account.scope],
            polling_interval=settings.arm_poll_seconds(),
            per_call_policies=http_policies(account),
        )

    def reader(self) -> ArmReader:
        """Return the light async reader of the Resource Manager, for triggers and short reads."""
        return ArmReader(self.account)

    def test_connection(self) -> tuple[bool, str]:
        """Say whether the identity gets a token and may list the subscription's function apps, or what is missing."""

        async def count_sites() -> int:
            async with self.reader() as reader:
                path = f"/subscriptions/{self.account.subscription_id}/providers/Microsoft.Web/sites"
                return len((await reader.get(path)).get("value", []))

        try:
            count = asyncio.run(count_sites())
        except (BadInput, Unknown) as error:
            return False, str(error)
        return True, f"Connected to {self.account.resource_manager}: {count} app(s) visible in the subscription"
