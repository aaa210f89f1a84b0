"""What the Functions host calls: TaskHub, the client of one hub, and Worker, which runs its work."""

from __future__ import annotations

from local_azure.engine.client import TaskHub
from local_azure.engine.worker import Worker

__all__ = ["TaskHub", "Worker"]
