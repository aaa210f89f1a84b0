"""The azure connection: what it may hold, what is missing, and what is never shown."""

from __future__ import annotations

import json
import time

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError

from zdd.exceptions import BadInput
from zdd.hooks.azure import AzureHook
from zdd.hooks.azure_account import AsyncLocalCredential, AzureAccount, LocalCredential

PRINCIPAL = {"login": "client", "password": "s3cret-value", "extra": {"tenantId": "t", "subscriptionId": "sub"}}


@pytest.fixture
def account(monkeypatch):
    def read(**fields) -> AzureAccount:
        monkeypatch.setenv("AIRFLOW_CONN_ZDD_TEST_AZURE", json.dumps({"conn_type": "azure", **fields}))
        return AzureHook("zdd_test_azure").account

    return read


def with_extra(**extra):
    return PRINCIPAL | {"extra": PRINCIPAL["extra"] | extra}


def test_a_service_principal_of_the_public_cloud(account):
    found = account(**PRINCIPAL)
    assert (found.resource_manager, found.scope) == (
        "https://management.azure.com",
        "https://management.azure.com/.default",
    )
    assert (found.is_local, found.scheme) == (False, "https")
    assert type(found.credential()).__name__ == "ClientSecretCredential"


def test_another_cloud_has_its_own_addresses(account):
    found = account(**with_extra(cloud_environment="AzureUSGovernment"))
    assert (found.resource_manager, found.authority) == (
        "https://management.usgovcloudapi.net",
        "https://login.microsoftonline.us",
    )


def test_no_principal_is_a_managed_identity(account):
    found = account(extra={"subscriptionId": "sub", "managed_identity_client_id": "mi"})
    assert type(found.credential()).__name__ == "ManagedIdentityCredential"


def test_a_local_azure_is_reached_by_http_and_brings_its_own_tokens(account):
    found = account(**with_extra(resource_manager="http://127.0.0.1:9999/"))
    assert (found.is_local, found.scheme, found.resource_manager) == (True, "http", "http://127.0.0.1:9999")
    assert isinstance(found.credential(), LocalCredential)
    assert isinstance(found.async_credential(), AsyncLocalCredential)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "subscriptionId"),
        (with_extra(cloud_environment="AzureMoon"), "AzureMoon"),
        (PRINCIPAL | {"password": ""}, r"password \(client secret\)"),
        (PRINCIPAL | {"extra": {"subscriptionId": "sub"}}, "tenantId"),
        ({"extra": {"subscriptionId": "sub", "resource_manager": "http://x"}}, "login"),
        (with_extra(resource_manager="ftp://x"), "resource_manager"),
    ],
)
def test_the_connection_test_says_what_is_missing_and_shows_no_secret(account, monkeypatch, fields, named):
    with pytest.raises(BadInput, match=named) as refused:
        account(**fields)
    assert "s3cret" not in str(refused.value)
    ok, message = AzureHook("zdd_test_azure").test_connection()
    assert (ok, message) == (False, str(refused.value))


def test_a_secret_is_in_no_repr(account):
    assert "s3cret" not in repr(account(**PRINCIPAL))


def answering(*answers):
    calls = []

    def post(url, data, timeout):
        calls.append(url)
        status, body = answers[min(len(calls), len(answers)) - 1]
        return httpx.Response(status, json=body, request=httpx.Request("POST", url))

    return post, calls


def test_a_local_token_is_kept_until_shortly_before_it_expires(account, monkeypatch):
    post, calls = answering((200, {"access_token": "one" * 20, "expires_in": 3600}))
    monkeypatch.setattr(httpx, "post", post)
    credential = account(**with_extra(resource_manager="http://127.0.0.1:1")).credential()
    assert credential.get_token("x").token == credential.get_token("x").token
    assert calls == ["http://127.0.0.1:1/t/oauth2/v2.0/token"]
    later = time.time() + 3590
    monkeypatch.setattr(time, "time", lambda: later)
    credential.get_token("x")
    assert len(calls) == 2


def test_a_refused_secret_is_explained(account, monkeypatch):
    post, _ = answering((401, {"error": "invalid_client", "error_description": "the secret is wrong"}))
    monkeypatch.setattr(httpx, "post", post)
    with pytest.raises(ClientAuthenticationError, match="the secret is wrong"):
        account(**with_extra(resource_manager="http://127.0.0.1:1")).credential().get_token("x")
