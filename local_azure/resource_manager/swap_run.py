"""Swap of two slots: its phases, one after the other, as Azure's documentation tells them.

1. The target's sticky settings are applied to the source, which restarts. 2. Wait for its restart. 3. and 4. Warm-up
requests. 5. The switch: the documents and the processes change places at once. 6. The former target gets the source's
settings and restarts. A failure before the switch is undone by starting the source anew with its own settings.

The one write of the site's document at the switch is what decides after a crash: before it the swap is begun again,
after it only the restart of 6. is left, which a start does anyway.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx

from local_azure.errors import AzureError, app_service_error
from local_azure.model import Operation, OperationState, Site, Swap, SwapPhase, SwapStatus, utcnow
from local_azure.supervisor import HostDidNotStart, HostProcess
from local_azure.swap_rules import effective, setting, swapped

if TYPE_CHECKING:
    from local_azure.cloud import Cloud

log = logging.getLogger("local_azure.swap")

PING_PATH = "WEBSITE_SWAP_WARMUP_PING_PATH"
PING_STATUSES = "WEBSITE_SWAP_WARMUP_PING_STATUSES"
PAUSE_BETWEEN_PINGS_SECONDS = 1.0


class SwapFailed(Exception):
    """The swap was undone; `error` is what its poller is answered."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.error: AzureError = app_service_error(417, "ExpectationFailed", message, extended_code="04046")


def resume_all(cloud: Cloud) -> None:
    """After a start: go on with every swap that was under way. A prepared preview stays prepared."""
    for site in cloud.state.sites:
        if site.swap is not None and not site.swap.preview:
            log.info("%s: goes on with the swap that a stop of local Azure interrupted", site.name)
            cloud.in_background(carry_out(cloud, site.name, prepared=False), f"swap of {site.name}")


def auto_swap(cloud: Cloud, site: Site, slot: str) -> None:
    """After a deployment: swap at once when the slot's configuration says so."""
    target = str(site.slots[slot].site_config.get("autoSwapSlotName") or "").lower()
    if not target or target not in site.slots or target == slot or site.swap is not None:
        return
    log.info("%s: auto swap with %s", site.label(slot), target)
    swap = Swap(id=f"auto-{time.time_ns()}", source=slot, target=target, phase=SwapPhase.ACCEPTED, started=utcnow())
    cloud.state.save(site.changed(swap=swap))
    cloud.in_background(carry_out(cloud, site.name, prepared=False), f"auto swap of {site.label(slot)}")


async def carry_out(cloud: Cloud, site_name: str, *, prepared: bool) -> None:
    """Run the swap that the site's document holds, to its end."""
    swap = _swap(cloud, site_name)
    began = time.monotonic()
    try:
        if swap.phase != SwapPhase.SWITCHED:
            if not prepared:
                await _prepare(cloud, site_name)
            await _switch(cloud, site_name)
        await _settle(cloud, site_name)
    except SwapFailed as failure:
        await _revert(cloud, site_name, failure)
        return
    site = _finished(cloud.site(site_name), swap.id, OperationState.SUCCEEDED)
    cloud.state.save(site.changed(swap=None))
    log.info(
        "%s: swap of %s with %s succeeded in %.1f s", site.name, swap.source, swap.target, time.monotonic() - began
    )


async def prepare_preview(cloud: Cloud, site_name: str) -> None:
    """Phases 1 to 4, then wait; raises SwapFailed, undone already."""
    try:
        await _prepare(cloud, site_name)
    except SwapFailed as failure:
        await _revert(cloud, site_name, failure)
        raise
    site = cloud.site(site_name)
    cloud.state.save(site.changed(swap=_swap(cloud, site_name).changed(preview=True)))
    log.info("%s: prepared for swap; it waits to be completed or cancelled", site.name)


async def undo(cloud: Cloud, site_name: str, source: str, reason: str) -> None:
    """Start the source with its own settings again and wait for it."""
    with contextlib.suppress(HostDidNotStart):  # logged there; the slot goes on trying
        await cloud.runtime(site_name, source).restart(reason)


def _swap(cloud: Cloud, site_name: str) -> Swap:
    swap = cloud.site(site_name).swap
    assert swap is not None, site_name
    return swap


def _finished(site: Site, operation_id: str, state: OperationState, error: AzureError | None = None) -> Site:
    operation: Operation | None = site.operations.get(operation_id)
    if operation is None:
        return site
    return site.with_operation(
        operation.changed(
            state=state, error_status=error.status if error else None, error=error.body if error else None
        )
    )


@contextlib.asynccontextmanager
async def _phase(cloud: Cloud, site_name: str, number: str, phase: SwapPhase | None, text: str) -> AsyncIterator[None]:
    """Log a phase, keep it in the document, and let it last at least the configured time."""
    site, swap = cloud.site(site_name), _swap(cloud, site_name)
    log.info("%s: swap %s with %s, phase %s: %s", site.name, swap.source, swap.target, number, text)
    if phase is not None:
        cloud.state.save(site.changed(swap=swap.changed(phase=phase)))
    began = time.monotonic()
    yield
    await asyncio.sleep(max(0.0, cloud.settings.timing.phase - (time.monotonic() - began)))


async def _prepare(cloud: Cloud, site_name: str) -> None:
    """Phases 1 to 4."""
    swap = _swap(cloud, site_name)
    source = cloud.runtime(site_name, swap.source)
    await source.settled()
    try:
        text = f"apply {swap.target}'s settings to {swap.source} and restart it"
        async with _phase(cloud, site_name, "1", SwapPhase.APPLY_SETTINGS, text):
            source.restart_soon(f"swap: runs with the settings of {swap.target}")
        async with _phase(cloud, site_name, "2", SwapPhase.WAIT_FOR_RESTART, f"wait for the restart of {swap.source}"):
            await source.settled()
            if source.serving is None:
                raise HostDidNotStart(source.failure or "it is stopped")
        async with _phase(cloud, site_name, "3", SwapPhase.WARM_UP, f"warm {swap.source} up"):
            await _warm_up(cloud, site_name, source.serving)
    except HostDidNotStart as problem:
        log.warning("%s: the source did not restart: %s", site_name, problem)
        raise SwapFailed(
            f"Cannot swap site slots for site '{site_name}' because the '{swap.source}' slot did not restart with the "
            f"settings of the '{swap.target}' slot."
        ) from problem


async def _warm_up(cloud: Cloud, site_name: str, host: HostProcess) -> None:
    """Send warm-up requests until one gets an accepted status; without a list of statuses any will do."""
    site, swap, timing = cloud.site(site_name), _swap(cloud, site_name), cloud.settings.timing
    slot = effective(site, swap.source)
    path = setting(slot, PING_PATH) or "/"
    accepted = {part.strip() for part in (setting(slot, PING_STATUSES) or "").split(",") if part.strip()}
    headers = {"User-Agent": "SiteWarmup", "X-Forwarded-Host": cloud.hostname(slot), "X-Forwarded-Proto": "http"}
    seen = "no answer"
    for attempt in range(1, timing.warm_up_tries + 1):
        try:
            answer = await host.ping(path if path.startswith("/") else f"/{path}", headers, timing.warm_up_request)
            seen = f"status {answer.status_code}"
            if not accepted or str(answer.status_code) in accepted:
                log.info("%s: warm-up request %d to %s: %s", site.label(swap.source), attempt, path, seen)
                return
        except httpx.HTTPError as error:
            seen = type(error).__name__
        log.warning("%s: warm-up request %d to %s: %s", site.label(swap.source), attempt, path, seen)
        if attempt < timing.warm_up_tries:
            await asyncio.sleep(min(PAUSE_BETWEEN_PINGS_SECONDS, timing.warm_up_request))
    raise SwapFailed(
        f"Cannot swap site slots for site '{site.name}' because the '{swap.source}' slot did not respond to http ping "
        f"({seen})."
    )


async def _switch(cloud: Cloud, site_name: str) -> None:
    """Phase 5. Between the last look and the end nothing is awaited, so no request sees half of it."""
    swap = _swap(cloud, site_name)
    source, target = cloud.runtime(site_name, swap.source), cloud.runtime(site_name, swap.target)
    await source.settled()
    await target.settled()
    new = source.serving
    if new is None or not new.alive:
        raise SwapFailed(
            f"Cannot swap site slots for site '{site_name}' because the '{swap.source}' slot ended before the switch."
        )
    site = swapped(cloud.site(site_name), swap.source, swap.target)
    status = SwapStatus(timestamp=utcnow(), source=swap.source, destination=swap.target)
    cloud.state.save(site.changed(swap=swap.changed(phase=SwapPhase.SWITCHED), last_swap=status))
    source.release()
    old = target.release()
    new.label = target.label
    target.serve(new)
    if old is not None:
        source.retire(old)
    log.info("%s: swap phase 5: %s now serves what was in %s", site.name, swap.target, swap.source)
    source.restart_soon(f"swap phase 6: what was in {swap.target} gets the settings of {swap.source}")


async def _settle(cloud: Cloud, site_name: str) -> None:
    """Phase 6: wait for the restart. Whether it comes up no longer decides on the swap."""
    swap = _swap(cloud, site_name)
    async with _phase(cloud, site_name, "6", None, f"wait for the restart of {swap.source}"):
        await cloud.runtime(site_name, swap.source).settled()


async def _revert(cloud: Cloud, site_name: str, failure: SwapFailed) -> None:
    swap = _swap(cloud, site_name)
    log.warning("%s: swap of %s with %s failed and is undone: %s", site_name, swap.source, swap.target, failure)
    # Held until the source runs with its own settings again: a change in between would be lost on it.
    cloud.state.save(cloud.site(site_name).changed(swap=swap.changed(phase=SwapPhase.ACCEPTED)))
    await undo(cloud, site_name, swap.source, "the swap failed; back to its own settings")
    site = _finished(cloud.site(site_name), swap.id, OperationState.FAILED, failure.error)
    cloud.state.save(site.changed(swap=None))
