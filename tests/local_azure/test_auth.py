"""Tokens of the token endpoint."""

from __future__ import annotations

import base64
import json

import pytest

from local_azure.auth import TokenRefused, Tokens
from local_azure.errors import AzureError

PRINCIPALS = {"deployer": "secret"}
FORM = {"grant_type": "client_credentials", "client_id": "deployer", "client_secret": "secret"}


def tokens(now: float = 1000.0, key: bytes = b"key") -> Tokens:
    return Tokens(key, PRINCIPALS, lifetime=60, clock=lambda: now)


def refused(authorization: str | None, checker: Tokens) -> str:
    with pytest.raises(AzureError) as caught:
        checker.check(authorization)
    assert caught.value.status == 401
    assert "WWW-Authenticate" in caught.value.headers
    return str(caught.value.body["error"]["code"])


def test_a_granted_token_says_who_calls_until_it_expires() -> None:
    granted = tokens().grant("tenant", FORM)
    assert granted["expires_in"] == 60
    header = f"Bearer {granted['access_token']}"
    assert tokens(1059).check(header).client_id == "deployer"
    assert refused(header, tokens(1060)) == "ExpiredAuthenticationToken"


def test_a_token_of_another_key_or_with_changed_claims_is_invalid() -> None:
    token = tokens().issue("deployer", tenant="t")
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged = base64.urlsafe_b64encode(json.dumps(claims | {"appid": "root"}).encode()).rstrip(b"=").decode()
    assert refused(f"Bearer {head}.{forged}.{signature}", tokens()) == "InvalidAuthenticationToken"
    assert refused(f"Bearer {token}", tokens(key=b"other")) == "InvalidAuthenticationToken"


@pytest.mark.parametrize("header", ["Bearer", "Bearer x", "Basic YTpi", "Bearer a.b.c", "Bearer é.b.c"])
def test_what_is_no_token_is_invalid(header: str) -> None:
    assert refused(header, tokens()) == "InvalidAuthenticationToken"


def test_no_header_at_all_is_said_so() -> None:
    assert refused(None, tokens()) == "AuthenticationFailed"


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 400, "unauthorized_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ],
)
def test_a_wrong_request_gets_the_error_of_its_kind(change: dict[str, str], status: int, error: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        tokens().grant("tenant", FORM | change)
    assert (caught.value.status, caught.value.body["error"]) == (status, error)


def test_a_principal_that_is_no_longer_known_is_refused() -> None:
    token = tokens().issue("gone", tenant="t")
    assert refused(f"Bearer {token}", tokens()) == "InvalidAuthenticationToken"
