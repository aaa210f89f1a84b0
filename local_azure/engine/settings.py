"""The settings of one task hub, as host.json and the app settings give them."""

from __future__ import annotations

import enum
import os
import re
import socket
from dataclasses import dataclass, field
from datetime import timedelta

from local_azure.engine.errors import BadHubName

HUB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,49}")


class VersionMatch(enum.StrEnum):
    """Which versions of instances a worker takes."""

    NONE = "None"
    STRICT = "Strict"
    CURRENT_OR_OLDER = "CurrentOrOlder"


class VersionFailure(enum.StrEnum):
    """What becomes of an instance that the worker does not take."""

    REJECT = "Reject"
    FAIL = "Fail"


def default_worker_id() -> str:
    """The machine's name: the owner that the engine writes into leases."""
    return socket.gethostname()


@dataclass(frozen=True)
class HubSettings:
    """Everything that the engine wants to know about one hub and one worker on it.

    `worker_id` names the owner of leases: a worker that comes back under the same id has its partitions again at
    once, so keep it over restarts and make it differ between two workers on one hub.
    """

    hub_name: str
    connection_string: str = field(repr=False)
    tracking_connection_string: str | None = field(default=None, repr=False)
    tracking_prefix: str | None = None  # "DurableTask" when a tracking store is set without a prefix
    partition_count: int = 4
    worker_id: str = field(default_factory=default_worker_id)
    app_name: str = ""  # WEBSITE_SITE_NAME: who holds the app lease
    use_app_lease: bool = True
    control_queue_visibility_timeout: timedelta = timedelta(minutes=5)
    work_item_queue_visibility_timeout: timedelta = timedelta(minutes=5)
    max_queue_polling_interval: timedelta = timedelta(seconds=30)
    control_queue_batch_size: int = 32
    max_concurrent_orchestrators: int = 10 * (os.cpu_count() or 2)
    max_concurrent_activities: int = 10 * (os.cpu_count() or 2)
    lease_duration: timedelta = timedelta(seconds=30)
    lease_renew_interval: timedelta = timedelta(seconds=10)
    app_lease_retry_interval: timedelta = timedelta(seconds=300)
    default_version: str | None = None
    version_match: VersionMatch = VersionMatch.CURRENT_OR_OLDER
    version_failure: VersionFailure = VersionFailure.REJECT

    def __post_init__(self) -> None:
        if not HUB_NAME.fullmatch(self.hub_name):
            raise BadHubName(
                f"expected a task hub name of 3 to 50 letters and digits that starts with a letter, "
                f"found {self.hub_name!r}: correct hubName in host.json"
            )
        if not 1 <= self.partition_count <= 16:
            raise ValueError(f"expected partitionCount from 1 to 16, found {self.partition_count}")

    @property
    def table_prefix(self) -> str:
        """What stands before `Instances` and `History`."""
        if self.tracking_connection_string is None:
            return self.hub_name
        return self.tracking_prefix or "DurableTask"

    @property
    def instances_table(self) -> str:
        """Name of the table of instances."""
        return f"{self.table_prefix}Instances"

    @property
    def history_table(self) -> str:
        """Name of the table of histories."""
        return f"{self.table_prefix}History"
