"""A small stateful fake of the Durable HTTP API, as an httpx transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

import httpx

KEY = "the-system-key"
PATH = "/runtime/webhooks/durabletask/instances"


@dataclass
class FakeDurableApi:
    """Instances by id with their status. `lost_terminates` accepts so many terminates without any effect."""

    statuses: dict[str, str] = field(default_factory=dict)
    page_size: int = 100
    empty_first_page: bool = False
    ignores_filter: bool = False
    lost_terminates: int = 0
    answers: int | None = None
    requests: list[httpx.Request] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        """For the client under test."""
        return httpx.MockTransport(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        self.requests.append(request)
        if request.headers.get("x-functions-key") != KEY:
            return httpx.Response(401)
        if self.answers:
            return httpx.Response(self.answers)
        rest = unquote(request.url.raw_path.decode().partition("?")[0]).removeprefix(PATH).strip("/")
        if not rest:
            return self._list(request)
        if rest.endswith("/terminate"):
            return self._terminate(rest.removesuffix("/terminate"))
        if rest not in self.statuses:
            return httpx.Response(404)
        live = self.statuses[rest] in ("Pending", "Running", "Suspended", "ContinuedAsNew")
        return httpx.Response(202 if live else 200, json=self._item(rest))

    def _item(self, instance: str) -> dict[str, str]:
        return {
            "instanceId": instance,
            "name": "Order",
            "runtimeStatus": self.statuses[instance],
            "createdTime": "2026-03-01T11:00:00Z",
        }

    def _list(self, request: httpx.Request) -> httpx.Response:
        wanted = request.url.params.get("runtimeStatus", "").split(",")
        found = [one for one, status in self.statuses.items() if self.ignores_filter or status in wanted]
        token = request.headers.get("x-ms-continuation-token")
        if token is None and self.empty_first_page:
            return httpx.Response(200, json=[], headers={"x-ms-continuation-token": "0"})
        start = int(token or 0)
        page = found[start : start + self.page_size]
        after = str(start + self.page_size) if start + self.page_size < len(found) else ""
        items = [self._item(one) for one in page]
        return httpx.Response(200, json=items, headers={"x-ms-continuation-token": after})

    def _terminate(self, instance: str) -> httpx.Response:
        if instance not in self.statuses:
            return httpx.Response(404)
        if self.statuses[instance] in ("Completed", "Terminated", "Failed"):
            return httpx.Response(410)
        if self.lost_terminates:
            self.lost_terminates -= 1
        else:
            self.statuses[instance] = "Terminated"
        return httpx.Response(202)
