"""One call to the Resource Manager, as its handlers see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from local_azure.auth import Principal
from local_azure.errors import AzureError, arm_error, bad_request, conflict, site_not_found
from local_azure.model import PRODUCTION, ResourceGroup, Site, Slot, utcnow
from local_azure.slot_runtime import SlotRuntime
from local_azure.state import group_key

if TYPE_CHECKING:
    from local_azure.cloud import Cloud


@dataclass(frozen=True)
class Call:
    """Path parameters, query and body of an authorised request."""

    cloud: Cloud
    principal: Principal
    method: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    json: Any
    base_url: str

    @property
    def subscription(self) -> str:
        """The subscription's id."""
        return self.parameters["subscription"]

    @property
    def resource_group(self) -> str:
        """The resource group's name as the caller writes it."""
        return self.parameters["group"]

    @property
    def site_name(self) -> str:
        """The site's name as the caller writes it."""
        return self.parameters["site"]

    @property
    def slot_name(self) -> str:
        """The slot in the path; production when there is none."""
        return (self.parameters.get("slot") or PRODUCTION).lower()

    def group(self) -> ResourceGroup:
        """The resource group; raises 404."""
        group = self.cloud.state.groups.get(group_key(self.subscription, self.resource_group))
        if group is None:
            name = self.resource_group
            raise arm_error(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        return group

    def find_site(self) -> Site | None:
        """The site in this subscription and resource group, or None."""
        site = self.cloud.state.sites.get(self.site_name)
        if site is None or (site.subscription.lower(), site.resource_group.lower()) != (
            self.subscription.lower(),
            self.resource_group.lower(),
        ):
            return None
        return site

    def site(self) -> Site:
        """The site; raises 404."""
        site = self.find_site()
        if site is None:
            self.group()
            raise site_not_found(self.site_name, self.resource_group)
        return site

    def slot(self) -> Slot:
        """The slot that the path names; raises 404."""
        site = self.site()
        slot = site.slots.get(self.slot_name)
        if slot is None:
            raise site_not_found(site.name, site.resource_group, slot=self.slot_name)
        return slot

    def runtime(self) -> SlotRuntime:
        """The running side of that slot."""
        self.slot()
        return self.cloud.runtime(self.site(), self.slot_name)

    def properties(self) -> dict[str, Any]:
        """`properties` of the body; raises 400 when the body is not an object with such a member."""
        if not isinstance(self.json, dict) or not isinstance(self.json.get("properties", {}), dict):
            raise arm_error(400, "InvalidRequestContent", "The request content was invalid: expected a JSON object.")
        return dict(self.json.get("properties") or {})

    def free_site(self) -> Site:
        """The site, when no other operation holds it; raises App Service's 409."""
        site = self.site()
        refuse_if_held(site)
        return site

    def change_slot(self, **fields: Any) -> Slot:
        """Keep a change of the slot that the path names; raises 404 and 409."""
        self.slot()
        site = self.free_site()
        slot = site.slots[self.slot_name].changed(last_modified=utcnow(), **fields)
        self.cloud.state.save(site.with_slot(slot))
        return slot


def refuse_if_held(site: Site) -> None:
    """Raise the 409 for a change while a swap runs or is prepared."""
    swap = site.swap
    if swap is None:
        return
    if swap.preview:
        raise conflict(
            f"Site '{site.name}' slot '{swap.source}' is prepared for swap with slot '{swap.target}': "
            "complete or cancel the swap before any other change.",
            extended_code="04075",
            template="Site '{0}' slot '{1}' is prepared for swap with slot '{2}'.",
            parameters=(site.name, swap.source, swap.target),
        )
    details = (
        f"Details: Id: {swap.id}, OperationName: SwapSiteSlots, CreatedTime: {swap.started:%m/%d/%Y %I:%M:%S %p}, "
        f"RequestId: {swap.id}, EntityType: 3"
    )
    raise conflict(
        f"Cannot modify this site because another operation is in progress. {details}",
        extended_code="59203",
        template="Cannot modify this site because another operation is in progress. {0}",
        parameters=(details,),
    )


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    return JSONResponse(content, status, headers=dict(headers or {}))


def empty(status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer without a body."""
    return Response(status_code=status, headers=dict(headers or {}))


def error_answer(error: AzureError) -> Response:
    """The answer for an error."""
    return JSONResponse(error.body, error.status, headers=error.headers)


def string_map(value: Any, what: str) -> dict[str, str]:
    """Return a JSON object of strings; null values become empty ones. Raises 400."""
    if not isinstance(value, dict):
        raise bad_request(f"The parameter {what} has an invalid value: expected an object of strings.")
    return {str(name): "" if text is None else str(text) for name, text in value.items()}
