"""What an `azure` connection says, and the credentials that follow from it. Secrets stay out of every repr."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.sdk.log import mask_secret

from zdd.exceptions import BadInput

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.core.credentials_async import AsyncTokenCredential

# name: (authority, Resource Manager). Azure's own addresses, as the Azure provider lists them.
CLOUDS = {
    "AzurePublicCloud": ("https://login.microsoftonline.com", "https://management.azure.com"),
    "AzureUSGovernment": ("https://login.microsoftonline.us", "https://management.usgovcloudapi.net"),
    "AzureChinaCloud": ("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
}
TOKEN_MARGIN_SECONDS = 60


@dataclass(frozen=True)
class AzureAccount:
    """What an `azure` connection says: identity, subscription and cloud. Secrets are left out of its repr."""

    subscription_id: str
    resource_manager: str
    authority: str
    scope: str
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    managed_identity_client_id: str | None = None
    is_local: bool = False

    @classmethod
    def from_connection(cls, conn: Any) -> AzureAccount:
        """Read an Airflow connection; raises BadInput that names every field that is missing or wrong."""
        extra = conn.extra_dejson
        problems = []
        subscription = extra.get("subscriptionId")
        if not subscription:
            problems.append("extra `subscriptionId` is missing")
        cloud = extra.get("cloud_environment") or "AzurePublicCloud"
        if cloud not in CLOUDS:
            problems.append(f"extra `cloud_environment` is {cloud!r}, one of {', '.join(CLOUDS)} was expected")
        local = str(extra.get("resource_manager") or "").rstrip("/")
        if local and not local.startswith(("http://", "https://")):
            problems.append(f"extra `resource_manager` is {local!r}, an http or https address was expected")
        tenant, login, password = extra.get("tenantId"), conn.login, conn.password
        principal = {"login (client id)": login, "password (client secret)": password, "extra `tenantId`": tenant}
        given = [name for name, value in principal.items() if value]
        missing = [name for name, value in principal.items() if not value]
        # Login, secret and tenant belong together; none of them means a managed identity, which local Azure has not.
        if missing and (login or password or local):
            problems.append(f"{' and '.join(missing)} missing for a service principal (found: {', '.join(given) or 0})")
        if problems:
            raise BadInput(
                f"Connection {conn.conn_id!r}: expected a service principal or a managed identity and a subscription, "
                f"found: {'; '.join(problems)}. Fill the connection's form (type azure) and test it again."
            )
        if password:
            mask_secret(password)
        authority, public = CLOUDS[cloud]
        base = local or public
        return cls(
            subscription_id=str(subscription),
            resource_manager=base,
            authority=local or authority,
            scope=f"{base}/.default",
            tenant_id=tenant,
            client_id=login,
            client_secret=password,
            managed_identity_client_id=extra.get("managed_identity_client_id"),
            is_local=bool(local),
        )

    @property
    def scheme(self) -> str:
        """URL scheme of the apps' own host names: plain http only on a local Azure that is reached by http."""
        return "http" if self.is_local and self.resource_manager.startswith("http://") else "https"

    def credential(self) -> TokenCredential:
        """Return the credential for sync clients."""
        if self.is_local:
            return LocalCredential(self)
        from azure.identity import ClientSecretCredential, ManagedIdentityCredential

        if self.client_id and self.client_secret and self.tenant_id:
            return ClientSecretCredential(self.tenant_id, self.client_id, self.client_secret, authority=self.authority)
        return ManagedIdentityCredential(client_id=self.managed_identity_client_id)

    def async_credential(self) -> AsyncTokenCredential:
        """Return the credential for async clients."""
        if self.is_local:
            return AsyncLocalCredential(self)
        from azure.identity.aio import ClientSecretCredential, ManagedIdentityCredential

        if self.client_id and self.client_secret and self.tenant_id:
            return ClientSecretCredential(self.tenant_id, self.client_id, self.client_secret, authority=self.authority)
        return ManagedIdentityCredential(client_id=self.managed_identity_client_id)

    def token_request(self) -> tuple[str, dict[str, str]]:
        """Address and form of the client-credentials grant at a local Azure."""
        return f"{self.resource_manager}/{self.tenant_id}/oauth2/v2.0/token", {
            "grant_type": "client_credentials",
            "client_id": self.client_id or "",
            "client_secret": self.client_secret or "",
            "scope": self.scope,
        }


class _TokenKeeper:
    """Keeps one token until shortly before it expires."""

    def __init__(self, account: AzureAccount) -> None:
        self.account = account
        self._token: AccessToken | None = None

    def fresh(self) -> AccessToken | None:
        if self._token is not None and self._token.expires_on - TOKEN_MARGIN_SECONDS > time.time():
            return self._token
        return None

    def keep(self, status: int, body: Any) -> AccessToken:
        from azure.core.credentials import AccessToken
        from azure.core.exceptions import ClientAuthenticationError

        if status != 200 or not isinstance(body, dict) or "access_token" not in body:
            detail = body.get("error_description") or body.get("error") if isinstance(body, dict) else body
            raise ClientAuthenticationError(
                message=f"expected a token from {self.account.resource_manager}, found HTTP {status}: {detail}. "
                "Check login, password and tenantId of the connection."
            )
        mask_secret(body["access_token"])
        self._token = AccessToken(body["access_token"], int(time.time()) + int(body.get("expires_in", 300)))
        return self._token


class LocalCredential(_TokenKeeper):
    """Token of a local Azure for sync clients (azure-identity refuses an authority without TLS)."""

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Return a valid token, fetching one when needed."""
        import httpx

        token = self.fresh()
        if token is None:
            url, form = self.account.token_request()
            answer = httpx.post(url, data=form, timeout=20)
            token = self.keep(answer.status_code, _json(answer))
        return token


class AsyncLocalCredential(_TokenKeeper):
    """Token of a local Azure for async clients."""

    async def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """Return a valid token, fetching one when needed."""
        import httpx

        token = self.fresh()
        if token is None:
            url, form = self.account.token_request()
            async with httpx.AsyncClient(timeout=20) as client:
                answer = await client.post(url, data=form)
            token = self.keep(answer.status_code, _json(answer))
        return token

    async def close(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> AsyncLocalCredential:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()


def _json(answer: Any) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text[:200]


def http_policies(account: AzureAccount) -> list[Any]:
    """Policies that let a local Azure be reached by plain http; none for Azure itself."""
    if account.scheme != "http":
        return []
    from azure.core.pipeline.policies import SansIOHTTPPolicy

    class AllowHttp(SansIOHTTPPolicy):  # type: ignore[misc,type-arg,unused-ignore]
        """Lets the bearer token travel by http: azure-core refuses it otherwise, and only per request."""

        def on_request(self, request: Any) -> None:
            request.context.options.setdefault("enforce_https", False)

    return [AllowHttp()]
