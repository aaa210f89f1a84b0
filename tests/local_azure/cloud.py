"""Helpers for tests of local Azure: SDK clients for plain http, packages, waiting."""

from __future__ import annotations

import io
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.aio import WebSiteManagementClient as AsyncWebSiteManagementClient

from local_azure.launch import LocalAzure

# Without site packages the stand-in is up in a third of the time.
STAND_IN = (sys.executable, "-S", str(Path(__file__).with_name("stand_in_host.py")))


# One client without a certificate store: making one per request costs 30 ms each. No connection outlives a request,
# because local Azure is killed under some of them.
http = httpx.Client(trust_env=False, verify=False, timeout=60, limits=httpx.Limits(max_keepalive_connections=0))


class AllowHttp(SansIOHTTPPolicy):  # type: ignore[type-arg]
    def on_request(self, request: Any) -> None:
        request.context.options.setdefault("enforce_https", False)


def token_of(azure: LocalAzure) -> AccessToken:
    """A token for the service principal that local Azure knows."""
    form = {
        "grant_type": "client_credentials",
        "client_id": azure.client_id,
        "client_secret": azure.client_secret,
        "scope": "https://management.azure.com/.default",
    }
    answer = http.post(f"{azure.url}/{azure.tenant_id}/oauth2/v2.0/token", data=form)
    answer.raise_for_status()
    return AccessToken(answer.json()["access_token"], int(time.time()) + answer.json()["expires_in"])


class Credential:
    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return token_of(self._azure)


class AsyncCredential:
    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return token_of(self._azure)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> AsyncCredential:
        return self

    async def __aexit__(self, *args: object) -> None:
        pass


def client_of(azure: LocalAzure) -> WebSiteManagementClient:
    return WebSiteManagementClient(
        Credential(azure),
        azure.subscription_id,
        base_url=azure.url,
        per_call_policies=[AllowHttp()],
        polling_interval=1,
    )


def async_client_of(azure: LocalAzure) -> AsyncWebSiteManagementClient:
    return AsyncWebSiteManagementClient(
        AsyncCredential(azure),
        azure.subscription_id,
        base_url=azure.url,
        per_call_policies=[AllowHttp()],
        polling_interval=1,
    )


def package(version: str, **files: str) -> bytes:
    """A zip of a function app that the stand-in host runs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("host.json", '{"version": "2.0", "made": "' + version + '"}')
        file.writestr("version.txt", version)
        for name, text in files.items():
            file.writestr(name.replace("__", "-") + ".txt", text)
    return buffer.getvalue()


def eventually(what: Callable[[], bool], *, seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


@contextmanager
def running(state: Path, **options: Any) -> Iterator[LocalAzure]:
    extra = ["--deployment-step-seconds", "0.05", *options.pop("options", [])]
    azure = LocalAzure(state, host_command=STAND_IN, phase_seconds=0.1, options=extra, **options)
    try:
        yield azure.start()
    finally:
        azure.stop()


@dataclass(frozen=True)
class App:
    """A site with a staging slot, its addresses, and short forms of what tests do with it."""

    azure: LocalAzure
    client: WebSiteManagementClient
    name: str
    hosts: dict[str, str]
    scm_hosts: dict[str, str]

    @property
    def group(self) -> str:
        return self.azure.resource_group

    def url(self, slot: str, path: str = "/") -> str:
        return f"http://{self.hosts[slot]}{path}"

    def scm(self, slot: str, path: str) -> str:
        return f"http://{self.scm_hosts[slot]}{path}"

    def ask(self, slot: str, path: str = "/") -> dict[str, Any]:
        answer = http.get(self.url(slot, path))
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def version(self, slot: str) -> str:
        return str(self.ask(slot)["version"])

    def environment(self, slot: str) -> dict[str, str]:
        found: dict[str, str] = self.ask(slot, "/environment")["environment"]
        return found

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {token_of(self.azure).token}"}

    def push(self, slot: str, content: bytes, query: str = "") -> httpx.Response:
        return http.post(self.scm(slot, f"/api/zipdeploy?{query}"), content=content, headers=self.bearer())

    def set_settings(self, slot: str, **settings: str) -> None:
        body = {"properties": settings}
        if slot == "production":
            self.client.web_apps.update_application_settings(self.group, self.name, body)  # type: ignore[arg-type]
        else:
            self.client.web_apps.update_application_settings_slot(self.group, self.name, slot, body)  # type: ignore[arg-type]

    def settings(self, slot: str) -> dict[str, str]:
        web_apps = self.client.web_apps
        if slot == "production":
            return dict(web_apps.list_application_settings(self.group, self.name).properties or {})
        return dict(web_apps.list_application_settings_slot(self.group, self.name, slot).properties or {})

    def begin_swap(self, **options: Any) -> Any:
        return self.client.web_apps.begin_swap_slot(self.group, self.name, "staging", SWAP_BODY, **options)


SWAP_BODY: Any = {"targetSlot": "production", "preserveVnet": True}


def _hosts(site: Any) -> tuple[str, str]:
    scm = next(state.name for state in site.properties.host_name_ssl_states if state.host_type == "Repository")
    return site.properties.default_host_name, scm


def make_app(azure: LocalAzure, client: WebSiteManagementClient, name: str, **versions: str) -> App:
    """Create a site with a staging slot and deploy a package of the stand-in host to each slot named."""
    group, body = azure.resource_group, {"location": azure.location, "kind": "functionapp", "properties": {}}
    site: Any = client.web_apps.begin_create_or_update(group, name, body).result()  # type: ignore[arg-type]
    slot: Any = client.web_apps.begin_create_or_update_slot(group, name, "staging", body).result()  # type: ignore[arg-type]
    (production, production_scm), (staging, staging_scm) = _hosts(site), _hosts(slot)
    app = App(
        azure,
        client,
        name,
        hosts={"production": production, "staging": staging},
        scm_hosts={"production": production_scm, "staging": staging_scm},
    )
    for place, version in versions.items():
        assert app.push(place, package(version)).status_code == 200
    return app
