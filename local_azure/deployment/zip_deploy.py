"""Zip deployment to one slot: one at a time, in steps that a poller can see, with a log."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local_azure.deployment.history import Deployment, DeployStatus, History, LogEntry
from local_azure.deployment.volume import BadPackage, Volume, run_from_package
from local_azure.model import Site, utcnow

if TYPE_CHECKING:
    from local_azure.cloud import Cloud

log = logging.getLogger("local_azure.deployment")


class DeploymentRefused(Exception):
    """The endpoint's 409."""


@dataclass(frozen=True)
class Request:
    """What the query of a push says."""

    author: str = "N/A"
    author_email: str = "N/A"
    deployer: str = "Push-Deployer"
    message: str = "Created via a push deployment"
    restart: bool = True

    @classmethod
    def of(cls, query: Mapping[str, str], *, deployer: str) -> Request:
        """Read a query string."""
        return cls(
            author=query.get("author", cls.author),
            author_email=query.get("authorEmail", cls.author_email),
            deployer=query.get("deployer", deployer),
            message=query.get("message", cls.message),
            restart=query.get("restart", "true").lower() != "false",
        )


class ZipDeployer:
    """Deployments to one slot. Its history belongs to the content and moves with it in a swap."""

    def __init__(
        self, cloud: Cloud, site_name: str, slot_name: str, *, deployed: Callable[[Site, str], None] | None = None
    ) -> None:
        self._cloud = cloud
        self._site_name = site_name
        self._slot_name = slot_name
        self._deployed = deployed
        self._running: str | None = None
        for deployment in self.history.all():
            if not deployment.status.is_final:
                interrupted = self._with_entry(deployment, "Interrupted by a restart of the deployment endpoint.", 2)
                self.history.save(interrupted.changed(status=DeployStatus.FAILED, ended=utcnow()))

    @property
    def site(self) -> Site:
        """The site's document as it is now."""
        return self._cloud.site(self._site_name)

    @property
    def volume(self) -> Volume:
        """The content that the slot has now."""
        return self._cloud.volume(self.site, self._slot_name)

    @property
    def history(self) -> History:
        """The deployments of this content."""
        return History(self.volume.deployments)

    @property
    def running(self) -> str | None:
        """Id of the deployment that runs, or None."""
        return self._running

    def refuse_if_busy(self) -> None:
        """Raise DeploymentRefused when a push cannot be taken now."""
        if self._running is not None:
            raise DeploymentRefused("There is a deployment currently in progress. Please try again when it completes.")
        if self.site.swap is not None:
            raise DeploymentRefused("A slot swap of this site is in progress. Please try again when it completes.")
        value = run_from_package(self.site.slots[self._slot_name].app_settings)
        if value is not None and value != "1":
            raise DeploymentRefused(
                "WEBSITE_RUN_FROM_PACKAGE is set to a remote URL; deployment is not supported in this configuration."
            )

    def begin(self, request: Request) -> Deployment:
        """Register a deployment; raises DeploymentRefused."""
        self.refuse_if_busy()
        deployment = Deployment(
            id=secrets.token_hex(16),
            status=DeployStatus.PENDING,
            status_text="Receiving changes.",
            author=request.author,
            author_email=request.author_email,
            deployer=request.deployer,
            message=request.message,
            received=utcnow(),
        )
        self._running = deployment.id
        return self._log(deployment, "Received the package.")

    async def run(self, deployment: Deployment, archive: Path, request: Request) -> Deployment:
        """Carry a registered deployment out; the archive is deleted. Returns the final state."""
        site, label = self.site, self.site.label(self._slot_name)
        step = self._cloud.settings.timing.deployment_step
        size = await asyncio.to_thread(lambda: archive.stat().st_size)
        log.info("%s: deployment %s of %d bytes by %s", label, deployment.id, size, request.deployer)
        try:
            began = time.monotonic()
            deployment = self._enter(deployment, DeployStatus.BUILDING, "Preparing deployment of the package.")
            await asyncio.sleep(step)
            deployment = self._enter(deployment, DeployStatus.DEPLOYING, "Copying the package's content.")
            await asyncio.sleep(step)
            what = await asyncio.to_thread(self._place, archive)
            deployment = self._log(deployment, what)
            if request.restart and self._cloud.runtime(site, self._slot_name).running:
                # From here on the old host gets no request any more: who sees "success" talks to the new code.
                self._cloud.runtime(site, self._slot_name).restart_soon(f"deployment {deployment.id}")
                deployment = self._log(deployment, "Triggered a restart of the app.")
            deployment = self._end(deployment, DeployStatus.SUCCESS, "Deployment successful.")
            log.info("%s: deployment %s succeeded in %.1f s", label, deployment.id, time.monotonic() - began)
        except BadPackage as error:
            deployment = self._end(deployment, DeployStatus.FAILED, str(error))
            log.warning("%s: deployment %s failed: %s", label, deployment.id, error)
        except BaseException as error:
            self._end(deployment, DeployStatus.FAILED, f"Deployment failed: {type(error).__name__}")
            raise
        finally:
            self._running = None
            await asyncio.to_thread(archive.unlink, missing_ok=True)
        if deployment.status == DeployStatus.SUCCESS and self._deployed is not None:
            self._deployed(self.site, self._slot_name)
        return deployment

    def _place(self, archive: Path) -> str:
        if run_from_package(self.site.slots[self._slot_name].app_settings) == "1":
            name = f"{utcnow():%Y%m%d%H%M%S%f}.zip"
            self.volume.deploy_package(archive, name)
            return f"Deployment from package: {name} in data/SitePackages."
        return f"Copied {self.volume.deploy_files(archive)} files to wwwroot."

    def _enter(self, deployment: Deployment, status: DeployStatus, text: str) -> Deployment:
        started = deployment.started or utcnow()
        return self._log(deployment.changed(status=status, status_text=text, progress=text, started=started), text)

    def _end(self, deployment: Deployment, status: DeployStatus, text: str) -> Deployment:
        success = status == DeployStatus.SUCCESS
        ended = self._with_entry(deployment, text, 0 if success else 2).changed(
            status=status, status_text="" if success else text, progress="", ended=utcnow(), active=success
        )
        return self.history.save(ended)

    def _log(self, deployment: Deployment, text: str) -> Deployment:
        return self.history.save(self._with_entry(deployment, text, 0))

    @staticmethod
    def _with_entry(deployment: Deployment, text: str, kind: int) -> Deployment:
        entry = LogEntry(id=secrets.token_hex(8), time=utcnow(), message=text, type=kind)
        return deployment.changed(entries=(*deployment.entries, entry))
