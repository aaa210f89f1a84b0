"""The deployments of a slot's content: their status numbers, their logs, which one is active."""

from __future__ import annotations

from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from local_azure.model import Document
from local_azure.state import write_whole


class DeployStatus(IntEnum):
    """Kudu's numbers."""

    CANCELLED = -1
    PENDING = 0
    BUILDING = 1
    DEPLOYING = 2
    FAILED = 3
    SUCCESS = 4
    CONFLICT = 5
    PARTIAL_SUCCESS = 6

    @property
    def is_final(self) -> bool:
        """Whether the deployment has ended."""
        return self not in (DeployStatus.PENDING, DeployStatus.BUILDING, DeployStatus.DEPLOYING)


class LogEntry(Document):
    """One line of a deployment's log."""

    id: str
    time: datetime
    message: str
    type: int = 0
    """0 message, 1 warning, 2 error."""


class Deployment(Document):
    """One deployment."""

    id: str
    status: DeployStatus
    status_text: str = ""
    author: str = "N/A"
    author_email: str = "N/A"
    deployer: str = "Push-Deployer"
    message: str = "Created via a push deployment"
    progress: str = ""
    received: datetime
    started: datetime | None = None
    ended: datetime | None = None
    active: bool = False
    entries: tuple[LogEntry, ...] = ()

    def to_kudu(self, base_url: str, site_name: str) -> dict[str, Any]:
        """Return Kudu's JSON."""
        url = f"{base_url}/api/deployments/{self.id}"
        final = self.status.is_final
        return {
            "id": self.id,
            "status": int(self.status),
            "status_text": self.status_text,
            "author_email": self.author_email,
            "author": self.author,
            "deployer": self.deployer,
            "message": self.message,
            "progress": self.progress,
            "received_time": _text(self.received),
            "start_time": _text(self.started or self.received),
            "end_time": _text(self.ended),
            "last_success_end_time": _text(self.ended if self.status == DeployStatus.SUCCESS else None),
            "complete": final,
            "active": self.active,
            "is_temp": False,
            "is_readonly": True,
            "url": url,
            "log_url": f"{url}/log",
            "site_name": site_name,
            "provisioningState": {DeployStatus.SUCCESS: "Succeeded", DeployStatus.FAILED: "Failed"}.get(
                self.status, "InProgress" if not final else "Failed"
            ),
        }


def _text(time: datetime | None) -> str | None:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if time else None


class History:
    """The deployments of a volume, newest last; kept in one file a deployment."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def all(self) -> list[Deployment]:
        """Return all deployments by the time they were received."""
        found = [Deployment.model_validate_json(path.read_bytes()) for path in self._directory.glob("*.json")]
        return sorted(found, key=lambda deployment: deployment.received)

    def get(self, deployment_id: str) -> Deployment | None:
        """Return one deployment; `latest` is the newest."""
        if deployment_id == "latest":
            return (self.all() or [None])[-1]  # type: ignore[list-item]
        path = self._directory / f"{deployment_id}.json"
        return Deployment.model_validate_json(path.read_bytes()) if path.is_file() else None

    def save(self, deployment: Deployment) -> Deployment:
        """Keep a deployment; a successful one becomes the active one."""
        if deployment.active:
            for other in self.all():
                if other.active and other.id != deployment.id:
                    self._write(other.changed(active=False))
        self._write(deployment)
        return deployment

    def _write(self, deployment: Deployment) -> None:
        write_whole(self._directory / f"{deployment.id}.json", deployment.model_dump_json(indent=1).encode())

    def delete(self, deployment_id: str) -> None:
        """Forget a deployment."""
        (self._directory / f"{deployment_id}.json").unlink(missing_ok=True)
