"""The token endpoint's tokens: issue, and check of a request's Authorization header."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_azure.errors import arm_error

AUDIENCE = "https://management.azure.com/"


@dataclass(frozen=True)
class Principal:
    """Who calls."""

    client_id: str


class TokenRefused(Exception):
    """The token endpoint's error answer: `status` and an OAuth body."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tokens:
    """Issues and checks JWTs that are signed with the state's own key (HS256)."""

    def __init__(
        self,
        key: bytes,
        principals: Mapping[str, str],
        *,
        lifetime: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = key
        self._principals = principals
        self._lifetime = lifetime
        self._clock = clock

    def grant(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Answer a client_credentials request; raises TokenRefused in Entra's words."""
        if form.get("grant_type") != "client_credentials":
            raise TokenRefused(
                400,
                "unsupported_grant_type",
                f"AADSTS70003: The app requested an unsupported grant type '{form.get('grant_type', '')}'.",
            )
        client = form.get("client_id", "")
        secret = self._principals.get(client)
        if secret is None:
            raise TokenRefused(
                400,
                "unauthorized_client",
                f"AADSTS700016: Application with identifier '{client}' was not found in the directory '{tenant}'.",
            )
        if not hmac.compare_digest(secret.encode(), form.get("client_secret", "").encode()):
            raise TokenRefused(
                401, "invalid_client", f"AADSTS7000215: Invalid client secret provided for app '{client}'."
            )
        scope = form.get("scope") or form.get("resource") or ""
        audience = scope.removesuffix("/.default") or AUDIENCE
        token = self.issue(client, tenant=tenant, audience=audience)
        life = self._lifetime
        return {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token}

    def issue(self, client_id: str, *, tenant: str, audience: str = AUDIENCE) -> str:
        """Return a token for a principal."""
        now = int(self._clock())
        claims = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + self._lifetime,
            "appid": client_id,
            "oid": client_id,
            "tid": tenant,
            "ver": "1.0",
        }
        head = _encode(b'{"typ":"JWT","alg":"HS256"}')
        body = f"{head}.{_encode(json.dumps(claims, separators=(',', ':')).encode())}"
        return f"{body}.{_encode(self._signature(body))}"

    def _signature(self, body: str) -> bytes:
        return hmac.new(self._key, body.encode(), hashlib.sha256).digest()

    def check(self, authorization: str | None) -> Principal:
        """Return who calls; raises the Resource Manager's 401."""
        challenge = {
            "WWW-Authenticate": 'Bearer authorization_uri="https://login.windows.net/", error="invalid_token"',
        }
        if not authorization:
            message = "Authentication failed. The 'Authorization' header is missing."
            raise arm_error(401, "AuthenticationFailed", message, challenge)
        scheme, _, token = authorization.partition(" ")
        body, _, signature = token.strip().rpartition(".")
        try:
            genuine = scheme.lower() == "bearer" and hmac.compare_digest(_decode(signature), self._signature(body))
            claims = json.loads(_decode(body.split(".")[1])) if genuine else None
        except (ValueError, IndexError):
            claims = None
        if not isinstance(claims, dict):
            message = "The access token is invalid."
            raise arm_error(401, "InvalidAuthenticationToken", message, challenge)
        if claims["exp"] <= self._clock():
            message = "The access token expiry is earlier than the current time."
            raise arm_error(401, "ExpiredAuthenticationToken", message, challenge)
        if claims["appid"] not in self._principals:
            message = f"The principal '{claims['appid']}' of the access token is not known."
            raise arm_error(401, "InvalidAuthenticationToken", message, challenge)
        return Principal(claims["appid"])
