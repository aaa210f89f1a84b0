"""The resources that local Azure keeps: plans, sites, slots, operations. Immutable; a change is a new document."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

PRODUCTION = "production"


class Document(BaseModel):
    """Base of all that is kept as JSON."""

    model_config = ConfigDict(frozen=True)

    def changed(self, **fields: Any) -> Self:
        """Return a copy with these fields changed."""
        return self.model_copy(update=fields)


class ResourceGroup(Document):
    """A resource group."""

    subscription: str
    name: str
    location: str
    tags: dict[str, str] = {}

    @property
    def id(self) -> str:
        """Its ARM id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.name}"


class Plan(Document):
    """An App Service plan; its tier decides how many slots an app may have."""

    subscription: str
    resource_group: str
    name: str
    location: str
    kind: str = "functionapp"
    sku: dict[str, Any]
    properties: dict[str, Any] = {}
    tags: dict[str, str] = {}

    @property
    def id(self) -> str:
        """Its ARM id."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.Web/serverfarms/{self.name}"

    @property
    def tier(self) -> str:
        """Dynamic, ElasticPremium, FlexConsumption, Standard …"""
        return str(self.sku.get("tier", ""))


class ConnectionString(Document):
    """A connection string's value and its type (Custom, SQLAzure …)."""

    value: str
    type: str = "Custom"


class StickyNames(Document):
    """Names of settings that stay with their slot in a swap; None was never set."""

    app_settings: list[str] | None = None
    connection_strings: list[str] | None = None
    azure_storage: list[str] | None = None


class Slot(Document):
    """One slot of a site; production is a slot like the others. `volume` names its content."""

    name: str
    site_port: int
    scm_port: int
    volume: str
    running: bool = True
    app_settings: dict[str, str] = {}
    connection_strings: dict[str, ConnectionString] = {}
    site_config: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    tags: dict[str, str] = {}
    identity: dict[str, Any] | None = None
    publishing_password: str
    last_modified: datetime

    @property
    def is_production(self) -> bool:
        """Whether this is the production slot."""
        return self.name == PRODUCTION


class SwapStatus(Document):
    """The last swap of a site, in the words of the Resource Manager."""

    timestamp: datetime
    source: str
    destination: str


class SwapPhase(StrEnum):
    """How far a swap has come; everything before SWITCHED is undone by starting the source anew."""

    ACCEPTED = "accepted"
    APPLY_SETTINGS = "apply the target's settings to the source"
    WAIT_FOR_RESTART = "wait for the source's restart"
    WARM_UP = "warm up"
    SWITCHED = "switched"


class Swap(Document):
    """A swap under way, or prepared by a preview (`preview`)."""

    id: str
    source: str
    target: str
    phase: SwapPhase
    started: datetime
    preview: bool = False
    """The source runs with the target's settings and waits for the second half, or for its cancellation."""

    @property
    def applies(self) -> bool:
        """Whether the source is to run with the target's settings at this point."""
        return self.phase in (SwapPhase.APPLY_SETTINGS, SwapPhase.WAIT_FOR_RESTART, SwapPhase.WARM_UP)


class OperationState(StrEnum):
    """State of an asynchronous operation."""

    IN_PROGRESS = "InProgress"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Operation(Document):
    """An asynchronous operation and, when it has failed, what its poller is answered."""

    id: str
    name: str
    state: OperationState
    created: datetime
    error_status: int | None = None
    error: dict[str, Any] | None = None


class Site(Document):
    """A function app with all its slots, in one document: what one write changes, changes at once."""

    subscription: str
    resource_group: str
    name: str
    location: str
    kind: str = "functionapp"
    plan_id: str
    slots: dict[str, Slot]
    sticky: StickyNames = StickyNames()
    swap: Swap | None = None
    last_swap: SwapStatus | None = None
    operations: dict[str, Operation] = {}

    @property
    def id(self) -> str:
        """ARM id of the production slot, which is the site's."""
        group = f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.Web/sites/{self.name}"

    def slot_id(self, slot: str) -> str:
        """ARM id of a slot."""
        return self.id if slot == PRODUCTION else f"{self.id}/slots/{slot}"

    def label(self, slot: str) -> str:
        """How a log line calls a slot."""
        return f"{self.name}[{slot}]"

    def with_slot(self, slot: Slot) -> Site:
        """Return the site with this slot in place of the one of the same name."""
        return self.changed(slots={**self.slots, slot.name: slot})

    def with_operation(self, operation: Operation) -> Site:
        """Return the site with this operation; only the newest ones are kept."""
        kept = dict(list({**self.operations, operation.id: operation}.items())[-50:])
        return self.changed(operations=kept)


def utcnow() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC)
