"""Swap of two slots: the calls. The work itself is in swap_run."""

from __future__ import annotations

import uuid

from starlette.responses import Response

from local_azure.errors import AzureError, bad_request, conflict, site_not_found
from local_azure.model import Operation, OperationState, Site, Swap, SwapPhase, utcnow
from local_azure.resource_manager import swap_run
from local_azure.resource_manager.call import Call, empty, refuse_if_held
from local_azure.resource_manager.operations import headers_of
from local_azure.resource_manager.router import SITE_OR_SLOT, Router
from local_azure.swap_rules import setting

router = Router()


def _target(call: Call, site: Site) -> str:
    """The target slot that the body names; raises 400 and 404."""
    body = call.json if isinstance(call.json, dict) else {}
    if not body.get("targetSlot") or "preserveVnet" not in body:
        raise bad_request("The parameters targetSlot and preserveVnet are required.")
    target = str(body["targetSlot"]).lower()
    if target not in site.slots:
        raise site_not_found(site.name, site.resource_group, slot=target)
    if target == call.slot_name:
        raise bad_request(
            f"The parameter targetSlot has an invalid value: a slot cannot be swapped with itself ({target})."
        )
    return target


def _refuse_unfit(call: Call, site: Site, source: str, target: str) -> None:
    """Raise 409 for slots that cannot be swapped as they are."""
    for name in (source, target):
        if not site.slots[name].running:
            raise conflict(
                f"Cannot swap site slots for site '{site.name}' because the '{name}' slot is stopped.",
                extended_code="04046",
            )
        if call.cloud.deployments(site, name).deployer.running is not None:
            raise conflict(
                f"Cannot swap site slots for site '{site.name}' because a deployment to the '{name}' slot is running.",
                extended_code="59203",
            )
    versions = {setting(site.slots[name], "FUNCTIONS_EXTENSION_VERSION") for name in (source, target)}
    if len(versions - {None}) > 1:
        raise conflict(
            f"Cannot swap site slots for site '{site.name}' because FUNCTIONS_EXTENSION_VERSION differs between them.",
            extended_code="04046",
        )


def _begin(call: Call, site: Site, swap: Swap) -> Operation:
    operation = Operation(id=swap.id, name="SwapSiteSlots", state=OperationState.IN_PROGRESS, created=swap.started)
    call.cloud.state.save(site.changed(swap=swap).with_operation(operation))
    return operation


@router.on("POST", SITE_OR_SLOT + "/slotsswap")
async def swap_slots(call: Call) -> Response:
    """Swap the slot in the path (the source) with the target, or finish a swap that a preview has prepared."""
    call.slot()
    site = call.site()
    source, target = call.slot_name, _target(call, site)
    prepared = site.swap is not None and site.swap.preview and {site.swap.source, site.swap.target} == {source, target}
    if prepared and site.swap is not None:
        swap = site.swap.changed(id=str(uuid.uuid4()), preview=False, started=utcnow())
    else:
        refuse_if_held(site)
        _refuse_unfit(call, site, source, target)
        swap = Swap(id=str(uuid.uuid4()), source=source, target=target, phase=SwapPhase.ACCEPTED, started=utcnow())
    operation = _begin(call, site, swap)
    call.cloud.in_background(
        swap_run.carry_out(call.cloud, site.name, prepared=prepared), f"swap of {site.label(source)}"
    )
    return empty(202, headers_of(call, operation))


@router.on("POST", SITE_OR_SLOT + "/applySlotConfig")
async def apply_slot_config(call: Call) -> Response:
    """First half of a swap with preview: the slot in the path runs with the target's settings until told otherwise."""
    call.slot()
    site = call.free_site()
    source, target = call.slot_name, _target(call, site)
    _refuse_unfit(call, site, source, target)
    swap = Swap(id=str(uuid.uuid4()), source=source, target=target, phase=SwapPhase.ACCEPTED, started=utcnow())
    call.cloud.state.save(site.changed(swap=swap))
    try:
        await swap_run.prepare_preview(call.cloud, site.name)
    except swap_run.SwapFailed as failure:
        raise AzureError(failure.error.status, failure.error.body) from failure
    return empty(200)


@router.on("POST", SITE_OR_SLOT + "/resetSlotConfig")
async def reset_slot_config(call: Call) -> Response:
    """Take a preview back; nothing happens when none is prepared."""
    call.slot()
    site = call.site()
    swap = site.swap
    if swap is None or call.slot_name not in (swap.source, swap.target):
        return empty(200)
    if not swap.preview:
        refuse_if_held(site)
    call.cloud.state.save(site.changed(swap=None))
    await swap_run.undo(call.cloud, site.name, swap.source, "the preview was cancelled")
    return empty(200)
