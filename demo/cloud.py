"""The orders app in local Azure: created, filled and, for the naive release, deployed and swapped by the public SDK."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from azure.core.credentials import AccessToken
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.mgmt.web import WebSiteManagementClient
from azure.mgmt.web.models import (
    AppServicePlan,
    CsmSlotEntity,
    HostType,
    NameValuePair,
    Site,
    SiteConfig,
    SiteProperties,
    SkuDescription,
)

from demo.traffic import Front
from local_azure.launch import LocalAzure

APP, STAGING, PLAN = "orders", "staging", "orders-plan"
HUB_OF = {None: "OrdersGreen", STAGING: "OrdersBlue"}
READY_TIMEOUT_SECONDS = 60.0
DEPLOYED, DEPLOYMENT_ENDS = 4, {-1, 3, 4, 5, 6}


class CloudError(RuntimeError):
    """Local Azure did not do what the demo asked for."""


@dataclass(frozen=True)
class Swapped:
    """How long the naive release took."""

    seconds: float


class _Token:
    """A service principal's token from local Azure; azure-identity takes no authority without TLS."""

    def __init__(self, azure: LocalAzure) -> None:
        self._azure = azure
        self._token: AccessToken | None = None

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        if self._token is None or self._token.expires_on < time.time() + 60:
            form = {
                "grant_type": "client_credentials",
                "client_id": self._azure.client_id,
                "client_secret": self._azure.client_secret,
                "scope": f"{self._azure.url}/.default",
            }
            answer = httpx.post(f"{self._azure.url}/{self._azure.tenant_id}/oauth2/v2.0/token", data=form, timeout=20)
            answer.raise_for_status()
            body = answer.json()
            self._token = AccessToken(body["access_token"], int(time.time()) + int(body["expires_in"]))
        return self._token


class _AllowHttp(SansIOHTTPPolicy):  # type: ignore[type-arg]
    """Lets the token travel by http, which azure-core refuses otherwise: local Azure listens on the loopback only."""

    def on_request(self, request: Any) -> None:
        request.context.options.setdefault("enforce_https", False)


class Cloud:
    """The orders app in one local Azure. Every call waits for its end."""

    def __init__(self, azure: LocalAzure, storage: str, app: str = APP) -> None:
        self.azure, self.storage, self.app = azure, storage, app
        self._token = _Token(azure)
        self.client = WebSiteManagementClient(
            self._token,
            azure.subscription_id,
            base_url=azure.url,
            credential_scopes=[f"{azure.url}/.default"],
            per_call_policies=[_AllowHttp()],
            polling_interval=1,
        )

    @property
    def _group(self) -> str:
        return self.azure.resource_group

    def create(self, hub_of: Mapping[str | None, str] = HUB_OF) -> None:
        """Create plan, app and slot `staging` with the settings that samples/README.md recommends."""
        plan = self.client.app_service_plans.begin_create_or_update(
            self._group,
            PLAN,
            AppServicePlan(
                location=self.azure.location,
                kind="functionapp",
                sku=SkuDescription(name="EP1", tier="ElasticPremium"),
            ),
        ).result()
        self.client.web_apps.begin_create_or_update(
            self._group, self.app, self._site(str(plan.id), hub_of[None])
        ).result()
        self.client.web_apps.begin_create_or_update_slot(
            self._group, self.app, STAGING, self._site(str(plan.id), hub_of[STAGING])
        ).result()

    def _site(self, plan_id: str, hub: str) -> Site:
        settings = {
            "AzureWebJobsStorage": self.storage,
            "DurableManagementStorage": self.storage,
            "OrdersTaskHub": hub,
            "FUNCTIONS_EXTENSION_VERSION": "~4",
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "WEBSITE_RUN_FROM_PACKAGE": "1",
            "WEBSITE_SWAP_WARMUP_PING_PATH": "/api/edition",
            "WEBSITE_SWAP_WARMUP_PING_STATUSES": "200",
        }
        return Site(
            location=self.azure.location,
            kind="functionapp,linux",
            properties=SiteProperties(
                server_farm_id=plan_id,
                site_config=SiteConfig(
                    app_settings=[NameValuePair(name=name, value=value) for name, value in settings.items()]
                ),
            ),
        )

    def _get(self, slot: str | None) -> Site:
        apps = self.client.web_apps
        return apps.get_slot(self._group, self.app, slot) if slot else apps.get(self._group, self.app)

    def address(self, slot: str | None) -> str:
        """Return the public address of a slot, as the Resource Manager names it."""
        return f"http://{self._get(slot).default_host_name}"

    def deploy(self, slot: str | None, package: bytes) -> None:
        """Zip-deploy a package and wait until the slot's host runs it."""
        names = self._get(slot).host_name_ssl_states or []
        scm = next(state.name for state in names if state.host_type == HostType.REPOSITORY)
        headers = {"Authorization": f"Bearer {self._token.get_token().token}"}
        with httpx.Client(base_url=f"http://{scm}", headers=headers, timeout=60) as endpoint:
            answer = endpoint.post("/api/zipdeploy", params={"isAsync": "true"}, content=package)
            if answer.status_code != 202:
                raise CloudError(f"expected 202 from zip deploy, found {answer.status_code} {answer.text[:300]}")
            deadline = time.monotonic() + READY_TIMEOUT_SECONDS
            while True:
                state = endpoint.get("/api/deployments/latest").json()
                if state["status"] in DEPLOYMENT_ENDS:
                    break
                if time.monotonic() > deadline:
                    raise CloudError(f"the deployment to {slot or 'production'} has not ended: {state}")
                time.sleep(0.3)
        if state["status"] != DEPLOYED:
            raise CloudError(f"the deployment to {slot or 'production'} failed: {state}")

    def wait_until_up(self, slot: str | None, edition: str) -> None:
        """Wait until the slot answers with this edition."""
        deadline, found = time.monotonic() + READY_TIMEOUT_SECONDS, "no answer"
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(f"{self.address(slot)}/api/edition", timeout=30)
                found = f"{answer.status_code} {answer.text[:200]}"
                if answer.is_success and answer.json()["edition"] == edition:
                    return
            except httpx.HTTPError as problem:
                found = type(problem).__name__
            time.sleep(0.5)
        raise CloudError(f"expected edition {edition} in {slot or 'production'}, found {found}")

    def front(self, slot: str | None) -> Front:
        """Return where customers of a slot come in, with the host's default function key."""
        apps = self.client.web_apps
        keys = apps.list_host_keys_slot(self._group, self.app, slot) if slot else None
        keys = keys or apps.list_host_keys(self._group, self.app)
        return Front(self.address(slot), (keys.function_keys or {})["default"])

    def swap(self) -> Swapped:
        """Swap staging and production at once, whatever runs there."""
        began = time.monotonic()
        body = CsmSlotEntity(target_slot="production", preserve_vnet=True)
        self.client.web_apps.begin_swap_slot(self._group, self.app, STAGING, body).result()
        return Swapped(time.monotonic() - began)

    def hub(self, slot: str | None) -> str:
        """Return the hub that a slot's settings name at this moment."""
        apps = self.client.web_apps
        listed = (
            apps.list_application_settings_slot(self._group, self.app, slot)
            if slot
            else apps.list_application_settings(self._group, self.app)
        )
        return str((listed.properties or {})["OrdersTaskHub"])

    def close(self) -> None:
        """Close the SDK's connections."""
        self.client.close()
