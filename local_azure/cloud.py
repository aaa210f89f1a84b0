"""One local Azure at work: its documents, and for each slot its ports, its host and its front door."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from local_azure.auth import Tokens
from local_azure.deployment.application import DeploymentEndpoint
from local_azure.deployment.volume import Volume
from local_azure.environment import host_environment, hostname
from local_azure.front_door import FrontDoor, connection_pool
from local_azure.listeners import Listener, bind, listen
from local_azure.model import Plan, ResourceGroup, Site, Slot, utcnow
from local_azure.settings import Settings
from local_azure.slot_runtime import SlotRuntime
from local_azure.state import State, group_key
from local_azure.supervisor import HostPlan, HostProcess, new_internal_token
from local_azure.swap_rules import effective

log = logging.getLogger("local_azure")

SHUTDOWN_DRAIN_SECONDS = 3.0


class Cloud:
    """What Resource Manager and deployment endpoint work on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = State(settings.state)
        self.tokens = Tokens(self.state.signing_key, settings.principals, lifetime=settings.timing.token_lifetime)
        self._pool = connection_pool()
        self._runtimes: dict[tuple[str, str], SlotRuntime] = {}
        self._listeners: dict[tuple[str, str], list[Listener]] = {}
        self._endpoints: dict[tuple[str, str], DeploymentEndpoint] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # Hosts take a core each while they start: all at once, after a restart with many sites, each would be too slow.
        self._starts = asyncio.Semaphore(max(2, os.cpu_count() or 2))
        self.after_deployment: Callable[[Site, str], None] | None = None

    # life

    async def start(self) -> None:
        """Make the resource groups that the settings name, open every slot's ports, start the hosts behind them."""
        for name in self.settings.resource_groups:
            key = group_key(self.settings.subscription_id, name)
            if self.state.groups.get(key) is None:
                group = ResourceGroup(
                    subscription=self.settings.subscription_id, name=name, location=self.settings.location
                )
                self.state.groups.put(key, group)
        for site in self.state.sites:
            for name in list(site.slots):
                await self.open_slot(site.name, name)

    async def close(self) -> None:
        """Stop everything politely."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(runtime.close(drain=SHUTDOWN_DRAIN_SECONDS) for runtime in self._runtimes.values()))
        await asyncio.gather(*(one.close() for pair in self._listeners.values() for one in pair))
        await self._pool.aclose()
        self.state.close()

    def in_background(self, work: Coroutine[Any, Any, None], what: str) -> asyncio.Task[None]:
        """Run work that outlives the request; a failure is logged with its traceback."""
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def done(finished: asyncio.Task[None]) -> None:
            self._tasks.discard(finished)
            if not finished.cancelled() and finished.exception() is not None:
                log.error("%s failed", what, exc_info=finished.exception())

        task.add_done_callback(done)
        return task

    # documents

    def site(self, name: str) -> Site:
        """Return the document of a site that exists."""
        site = self.state.sites.get(name)
        assert site is not None, name
        return site

    def plan_of(self, site: Site) -> Plan | None:
        """Return the plan of a site, by its ARM id."""
        return next((plan for plan in self.state.plans if plan.id.lower() == site.plan_id.lower()), None)

    def hostname(self, slot: Slot) -> str:
        """Public address of a slot, `host:port`."""
        return hostname(slot, self.settings.public_host)

    def scm_hostname(self, slot: Slot) -> str:
        """Public address of a slot's deployment endpoint, `host:port`."""
        return f"{self.settings.public_host}:{slot.scm_port}"

    def volume(self, site: Site, slot: str) -> Volume:
        """The content that belongs to a slot at this moment."""
        return Volume(self.state.volume(site.name, site.slots[slot].volume))

    def deployed(self, site: Site, slot: str) -> None:
        """Called after each successful deployment: auto swap hangs here."""
        if self.after_deployment is not None:
            self.after_deployment(site, slot)

    # slots

    def new_slot(self, name: str) -> tuple[Slot, list[socket.socket]]:
        """Return a slot with ports of its own and empty content, and the bound sockets of those ports."""
        among = self.settings.slot_ports
        sockets = [bind(self.settings.host, 0, among=among) for _ in range(2)]
        slot = Slot(
            name=name,
            site_port=sockets[0].getsockname()[1],
            scm_port=sockets[1].getsockname()[1],
            volume=secrets.token_hex(6),
            publishing_password=secrets.token_urlsafe(30),
            last_modified=utcnow(),
        )
        return slot, sockets

    async def open_slot(self, site_name: str, slot_name: str, sockets: list[socket.socket] | None = None) -> None:
        """Listen on a slot's ports and start its host unless the slot is stopped."""
        site = self.site(site_name)
        slot = site.slots[slot_name]
        Volume(self.state.volume(site.name, slot.volume)).prepare()
        runtime = SlotRuntime(
            site.label(slot_name),
            lambda: self._start_host(site_name, slot_name),
            running=slot.running,
            timing=self.settings.timing,
        )
        endpoint = DeploymentEndpoint(self, site_name, slot_name)
        front_door = FrontDoor(runtime, self._pool, hostname=self.hostname(slot))
        bound = sockets or [bind(self.settings.host, port) for port in (slot.site_port, slot.scm_port)]
        key = (site.name.lower(), slot_name)
        self._listeners[key] = [await listen(bound[0], front_door), await listen(bound[1], endpoint.application)]
        self._runtimes[key] = runtime
        self._endpoints[key] = endpoint
        log.info(
            "%s: http://%s, deployment endpoint http://%s",
            site.label(slot_name),
            self.hostname(slot),
            self.scm_hostname(slot),
        )
        if slot.running:
            runtime.start_soon("start")

    async def close_slots(self, site: Site, names: Sequence[str]) -> None:
        """Stop slots for good: host, ports, content. Their document is the caller's to change, before this call."""
        keys = [(site.name.lower(), name) for name in names]
        # Taken out before anything is awaited: meanwhile a site of the same name may be made anew.
        runtimes = [self._runtimes.pop(key) for key in keys]
        listeners = [one for key in keys for one in self._listeners.pop(key)]
        for key in keys:
            self._endpoints.pop(key)
        await asyncio.gather(*(runtime.close(drain=0) for runtime in runtimes))
        await asyncio.gather(*(listener.close(grace=0.5) for listener in listeners))
        for name in names:
            await asyncio.to_thread(self.state.forget_content, site.name, site.slots[name].volume)

    def runtime(self, site: Site | str, slot: str) -> SlotRuntime:
        """The running side of a slot."""
        name = site if isinstance(site, str) else site.name
        return self._runtimes[name.lower(), slot]

    def deployments(self, site: Site, slot: str) -> DeploymentEndpoint:
        """The deployment endpoint of a slot."""
        return self._endpoints[site.name.lower(), slot]

    async def _start_host(self, site_name: str, slot_name: str) -> HostProcess:
        """Start a host for a slot with the settings that hold now (in a swap: the effective ones)."""
        site = self.site(site_name)
        slot = effective(site, slot_name)
        volume = self.volume(site, slot_name)
        token = new_internal_token()
        plan = HostPlan(
            label=site.label(slot_name),
            content=await volume.content(slot.app_settings),
            environment=host_environment(
                site,
                slot,
                plan=self.plan_of(site),
                public_host=self.settings.public_host,
                home=volume.home,
                internal_token=token,
            ),
            internal_token=token,
            log_file=self.state.log_file(site.name, slot_name),
        )
        async with self._starts:
            return await HostProcess.start(plan, command=self.settings.host_command, timing=self.settings.timing)
