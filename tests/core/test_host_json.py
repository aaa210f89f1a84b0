"""Which hub a host.json and settings mean: a table of files and settings of every generation."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from zdd.core.app_settings import AppSettings
from zdd.core.host_json import StorageKind, TaskHubBinding, bind_task_hub, merge_settings
from zdd.core.slot_view import deciding_settings, same_hub

KEY = "c2VjcmV0a2V5"
STORE = f"DefaultEndpointsProtocol=https;AccountName=Store;AccountKey={KEY};EndpointSuffix=core.windows.net"
OTHER = STORE.replace("Store", "other")
AZURITE = (
    f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};"
    "BlobEndpoint=http://127.0.0.1:{0}/devstoreaccount1;QueueEndpoint=http://127.0.0.1:{1}/devstoreaccount1;"
    "TableEndpoint=http://localhost:{2}/devstoreaccount1"
)
COLONS = "AzureFunctionsJobHost:extensions:durableTask:"
OVERRIDE = "AzureFunctionsJobHost__extensions__durableTask__"


def v2(**durable: Any) -> str:
    return json.dumps({"version": "2.0", "extensions": {"durableTask": durable}})


def bind(host_json: str | bytes, settings: dict[str, str] | None = None, *, site: str = "orders") -> TaskHubBinding:
    return bind_task_hub(
        host_json, {"AzureWebJobsStorage": STORE, **(settings or {})}, site_name=site, slot_name=None
    ).binding


TOLERATED = '// c\n{"version": "2.0", /* "x */ "extensions": {"durableTask": {"hubName": "MyHub",},},}'

HUBS = [
    # host.json, settings, hub, connection setting
    ("{}", {}, "orders", "AzureWebJobsStorage"),
    ('{"version": "2.0"}', {}, "orders", "AzureWebJobsStorage"),
    (v2(hubName="MyHub"), {}, "MyHub", "AzureWebJobsStorage"),
    (v2(HubName="MyHub"), {}, "MyHub", "AzureWebJobsStorage"),
    (v2(hubName="MyHub", storageProvider={"connectionName": "X"}), {"X": OTHER}, "MyHub", "X"),
    (v2(hubName="MyHub", storageProvider={"connectionStringName": "X"}), {"X": OTHER}, "MyHub", "X"),
    (v2(hubName="MyHub", StorageProvider={"CONNECTIONNAME": "x"}), {"X": OTHER}, "MyHub", "x"),
    (v2(hubName="%Hub%"), {"Hub": "FromSetting"}, "FromSetting", "AzureWebJobsStorage"),
    (v2(hubName="%hub%"), {"HUB": "FromSetting"}, "FromSetting", "AzureWebJobsStorage"),
    (v2(), {OVERRIDE + "hubName": "Over"}, "Over", "AzureWebJobsStorage"),
    (v2(hubName="MyHub"), {OVERRIDE + "hubName": "Over"}, "Over", "AzureWebJobsStorage"),
    (v2(hubName="MyHub"), {COLONS + "hubName": "Over"}, "Over", "AzureWebJobsStorage"),
    (v2(hubName="MyHub"), {(OVERRIDE + "HUBNAME").upper(): "Over"}, "Over", "AzureWebJobsStorage"),
    (v2(hubName="MyHub"), {OVERRIDE + "hubName": "%Hub%", "Hub": "Both"}, "Both", "AzureWebJobsStorage"),
    (v2(hubName="MyHub"), {OVERRIDE + "storageProvider__connectionName": "X", "X": OTHER}, "MyHub", "X"),
    ('{"version": "2.0"}', {OVERRIDE + "hubName": "Over"}, "Over", "AzureWebJobsStorage"),
    # a connection is looked up with the prefix AzureWebJobs first
    (v2(hubName="MyHub", storageProvider={"connectionName": "Storage"}), {}, "MyHub", "AzureWebJobsStorage"),
    # Durable 1.x on Functions 2
    (v2(azureStorageConnectionStringName="X"), {"X": OTHER}, "DurableFunctionsHub", "X"),
    (v2(HubName="Old", AzureStorageConnectionStringName="X"), {"X": OTHER}, "Old", "X"),
    (
        '{"version":"2.0","extensionBundle":{"version":"[1.*, 2.0.0)"},"extensions":{"durableTask":{}}}',
        {},
        "DurableFunctionsHub",
        "AzureWebJobsStorage",
    ),
    # Durable 2.x ignores the old key
    (
        v2(hubName="A1b", azureStorageConnectionStringName="X", storageProvider={"connectionName": "Y"}),
        {"X": OTHER, "Y": OTHER},
        "A1b",
        "Y",
    ),
    # Functions 1.x
    ('{"durableTask": {"azureStorageConnectionStringName": "X"}}', {"X": OTHER}, "DurableFunctionsHub", "X"),
    ('{"durableTask": {"HubName": "Old"}}', {}, "Old", "AzureWebJobsStorage"),
    ("{}", {"FUNCTIONS_EXTENSION_VERSION": "~1"}, "DurableFunctionsHub", "AzureWebJobsStorage"),
    ('{"id": "x"}', {"FUNCTIONS_EXTENSION_VERSION": "~1"}, "DurableFunctionsHub", "AzureWebJobsStorage"),
    # at the root it counts for Functions 1.x only
    ('{"version": "2.0", "durableTask": {"hubName": "Wrong"}}', {}, "orders", "AzureWebJobsStorage"),
    # what the host's parser tolerates
    (TOLERATED, {}, "MyHub", "AzureWebJobsStorage"),
    ("\ufeff" + v2(hubName="MyHub"), {}, "MyHub", "AzureWebJobsStorage"),
    (v2(hubName=None), {}, "orders", "AzureWebJobsStorage"),
]


@pytest.mark.parametrize(("host_json", "settings", "hub", "connection"), HUBS)
def test_hub_and_storage_are_those_that_the_runtime_takes(
    host_json: str, settings: dict[str, str], hub: str, connection: str
) -> None:
    binding = bind(host_json, settings)
    assert binding.hub_name == hub
    assert binding.storage.setting_name == connection
    assert binding.storage.kind is StorageKind.CONNECTION_STRING


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_byte_order_mark_tells_the_encoding(encoding: str) -> None:
    assert bind(v2(hubName="MyHub").encode(encoding)).hub_name == "MyHub"


def test_a_comment_inside_a_string_is_text() -> None:
    binding = bind(v2(hubName="MyHub", defaultVersion="1.0 // not a comment, /* nor this */ ,]"))
    assert binding.default_version == "1.0 // not a comment, /* nor this */ ,]"


DEFAULTS = [
    ("orders", "orders"),
    ("my-orders_app", "myordersapp"),
    ("2fast", "t2fast"),
    ("a-b", "abHub"),
    ("-", "DefaultTaskHub"),
    ("", "TestHubName"),
    ("x" * 60, "x" * 45),
    ("7" * 60, "t" + "7" * 44),
]


@pytest.mark.parametrize(("site", "hub"), DEFAULTS)
def test_the_default_hub_is_the_cleaned_site_name(site: str, hub: str) -> None:
    binding = bind(v2(), site=site)
    assert binding.hub_name == hub
    assert binding.is_default_hub_name
    assert binding.hub_name_source == "default"


def test_a_hub_named_like_the_default_counts_as_the_default() -> None:
    assert bind(v2(hubName="ORDERS")).is_default_hub_name
    assert not bind(v2(hubName="Orders2")).is_default_hub_name


def test_the_source_of_the_hub_name_is_told() -> None:
    assert bind(v2(hubName="MyHub")).hub_name_source == "host.json"
    assert bind(v2(hubName="%Hub%"), {"Hub": "MyHub"}).hub_name_source == "app setting Hub by host.json"
    assert bind(v2(), {OVERRIDE + "hubName": "MyHub"}).hub_name_source == f"app setting {OVERRIDE}hubName"


TRACKING = [
    ({"trackingStoreConnectionName": "T", "trackingStoreNamePrefix": "Shared"}, "SharedInstances", "SharedHistory"),
    ({"trackingStoreConnectionStringName": "T"}, "DurableTaskInstances", "DurableTaskHistory"),
    ({"trackingStoreNamePrefix": "Shared"}, "MyHubInstances", "MyHubHistory"),
    ({}, "MyHubInstances", "MyHubHistory"),
]


@pytest.mark.parametrize(("provider", "instances", "history"), TRACKING)
def test_tables_carry_the_prefix_only_with_a_tracking_store(
    provider: dict[str, str], instances: str, history: str
) -> None:
    binding = bind(v2(hubName="MyHub", storageProvider=provider), {"T": OTHER})
    assert (binding.instances_table, binding.history_table) == (instances, history)
    assert (binding.tracking_storage is not None) is (instances != "MyHubInstances")


def test_versions_strategies_provider_and_timeout_are_read() -> None:
    binding = bind(
        v2(
            hubName="MyHub",
            defaultVersion="1.2",
            versionMatchStrategy="Strict",
            versionFailureStrategy="Fail",
            storageProvider={"type": "azurestorage", "controlQueueVisibilityTimeout": "00:01:30"},
        )
    )
    assert (binding.default_version, binding.version_match_strategy, binding.version_failure_strategy) == (
        "1.2",
        "Strict",
        "Fail",
    )
    assert binding.storage_provider == "AzureStorage"
    assert binding.control_queue_visibility_timeout == timedelta(seconds=90)
    assert bind(v2()).control_queue_visibility_timeout == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.02:03:04", timedelta(1, 7384)), ("00:05", timedelta(minutes=5)), ("2", timedelta(2))],
)
def test_time_spans_are_read_as_net_writes_them(text: str, expected: timedelta) -> None:
    binding = bind(v2(storageProvider={"controlQueueVisibilityTimeout": text}))
    assert binding.control_queue_visibility_timeout == expected


def test_other_storage_providers_are_named_and_not_judged() -> None:
    binding = bind(v2(hubName="any-name", storageProvider={"type": "mssql", "connectionStringName": "Sql"}))
    assert binding.storage_provider == "mssql"
    assert binding.hub_name == "any-name"


IDENTITIES = [
    (
        {"X__accountName": "Hubs", "X__credential": "managedidentity"},
        (
            "https://hubs.table.core.windows.net",
            "https://hubs.queue.core.windows.net",
            "https://hubs.blob.core.windows.net",
        ),
        "hubs",
    ),
    (
        {
            "X__tableServiceUri": "https://hubs.table.core.windows.net",
            "X__queueServiceUri": "https://hubs.queue.core.windows.net",
        },
        ("https://hubs.table.core.windows.net", "https://hubs.queue.core.windows.net", None),
        "hubs",
    ),
    (
        {"X:serviceUri": "https://hubs.blob.core.usgovcloudapi.net/"},
        (
            "https://hubs.table.core.usgovcloudapi.net/",
            "https://hubs.queue.core.usgovcloudapi.net/",
            "https://hubs.blob.core.usgovcloudapi.net/",
        ),
        "hubs",
    ),
    (
        {"X__accountName": "hubs", "X__tableServiceUri": "https://custom.example.com"},
        ("https://custom.example.com", "https://hubs.queue.core.windows.net", "https://hubs.blob.core.windows.net"),
        "hubs",
    ),
    ({"X__tableServiceUri": "https://custom.example.com"}, ("https://custom.example.com", None, None), None),
    (
        {
            "X__tableServiceUri": "https://one.table.core.windows.net",
            "X__queueServiceUri": "https://two.queue.core.windows.net",
        },
        ("https://one.table.core.windows.net", "https://two.queue.core.windows.net", None),
        None,
    ),
]


@pytest.mark.parametrize(("settings", "endpoints", "account"), IDENTITIES)
def test_an_identity_based_connection_gives_endpoints_and_account(
    settings: dict[str, str], endpoints: tuple[str | None, ...], account: str | None
) -> None:
    storage = bind(v2(hubName="MyHub", storageProvider={"connectionName": "X"}), settings).storage
    assert storage.kind is StorageKind.IDENTITY
    assert (storage.table_endpoint, storage.queue_endpoint, storage.blob_endpoint) == endpoints
    assert storage.account == account


@pytest.mark.parametrize(
    "settings",
    [
        {"X": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"},
        {"X__tableServiceUri": "@Microsoft.KeyVault(VaultName=v;SecretName=s)"},
        {"X": " @microsoft.appconfiguration(Endpoint=https://c.azconfig.io; Key=k)"},
    ],
)
def test_a_key_vault_reference_is_not_a_connection_string(settings: dict[str, str]) -> None:
    storage = bind(v2(hubName="MyHub", storageProvider={"connectionName": "X"}), settings).storage
    assert (storage.kind, storage.connection_string, storage.account) == (StorageKind.KEY_VAULT, None, None)


@pytest.mark.parametrize("settings", [{}, {"X": ""}, {"X__credential": "managedidentity"}, {"Y": STORE}])
def test_a_connection_that_does_not_exist_is_missing_with_a_warning(settings: dict[str, str]) -> None:
    bound = bind_task_hub(
        v2(hubName="MyHub", storageProvider={"connectionName": "X"}), settings, site_name="orders", slot_name=None
    )
    assert bound.binding.storage.kind is StorageKind.MISSING
    assert bound.binding.storage.setting_name == "X"
    assert "no setting gives the storage connection X" in bound.warnings


ACCOUNTS = [
    (STORE, "store"),
    ("UseDevelopmentStorage=true", "devstoreaccount1@127.0.0.1:10002"),
    (AZURITE.format(1, 2, 10002), "devstoreaccount1@127.0.0.1:10002"),
    (AZURITE.format(1, 2, 20002), "devstoreaccount1@127.0.0.1:20002"),
    ("TableEndpoint=https://Store.table.core.windows.net/;SharedAccessSignature=sv=2&sig=x%3D", "store"),
    ("TableEndpoint=https://store-secondary.table.core.windows.net/;SharedAccessSignature=sv=2", "store"),
    ("TableEndpoint=https://data.example.com/;SharedAccessSignature=sv=2", None),
    ("AccountName=Store;AccountKey=x;TableEndpoint=https://data.example.com/", "store"),
    ("nonsense", None),
    ("TableEndpoint=http://[bad", None),
]


@pytest.mark.parametrize(("text", "account"), ACCOUNTS)
def test_the_account_of_a_connection_string_is_known_or_none(text: str, account: str | None) -> None:
    assert bind(v2(hubName="MyHub", storageProvider={"connectionName": "X"}), {"X": text}).storage.account == account


def test_two_bindings_to_one_hub_are_equal_whatever_the_case() -> None:
    one, other = bind(v2(hubName="MyHub")), bind(v2(hubName="MYHUB"), {"AzureWebJobsStorage": STORE + ";"})
    assert one.identity() == other.identity()
    assert one.fingerprint() == other.fingerprint()
    assert same_hub(one, other) is True
    assert same_hub(one, bind(v2(hubName="MyHub"), {"AzureWebJobsStorage": OTHER})) is False
    vault = bind(v2(hubName="MyHub"), {"AzureWebJobsStorage": "@Microsoft.KeyVault(x)"})
    assert same_hub(one, vault) is None
    assert same_hub(vault, vault) is True


def test_one_emulator_under_two_host_names_may_be_one_account() -> None:
    def at(host: str, port: int) -> TaskHubBinding:
        endpoint = f"TableEndpoint=http://{host}:{port}/devstoreaccount1;AccountName=devstoreaccount1;AccountKey={KEY}"
        return bind(v2(hubName="MyHub"), {"AzureWebJobsStorage": endpoint})

    assert same_hub(at("localhost", 10002), at("127.0.0.1", 10002)) is True
    assert same_hub(at("azurite", 10002), at("127.0.0.1", 10002)) is None
    assert same_hub(at("127.0.0.1", 20002), at("127.0.0.1", 10002)) is False


def test_no_secret_is_in_repr_or_fingerprint() -> None:
    binding = bind(
        v2(hubName="MyHub", storageProvider={"trackingStoreConnectionName": "T", "connectionName": "X"}),
        {"T": STORE, "X": f"TableEndpoint=https://s.table.core.windows.net;SharedAccessSignature={KEY}"},
    )
    assert KEY not in repr(binding) + binding.fingerprint() + str(binding)
    assert KEY not in repr(AppSettings({"X": STORE}))


def test_a_connection_string_is_seen_like_an_app_setting_and_wins() -> None:
    settings = merge_settings({"X": STORE, "Other": "1"}, {"x": OTHER})
    assert settings == {"Other": "1", "x": OTHER}
    storage = bind(v2(hubName="MyHub", storageProvider={"connectionName": "X"}), settings).storage
    assert storage.account == "other"


@pytest.mark.parametrize("name", ["CUSTOMCONNSTR_X", "ConnectionStrings__X", "ConnectionStrings:X", "AzureWebJobsX"])
def test_other_spellings_of_a_connection_are_found(name: str) -> None:
    storage = bind(v2(hubName="MyHub", storageProvider={"connectionName": "X"}), {name: OTHER}).storage
    assert storage.account == "other"


def test_the_settings_that_decide_about_the_hub_are_named() -> None:
    host_json = v2(hubName="%Hub%", storageProvider={"connectionName": "X", "trackingStoreConnectionName": "T"})
    names = deciding_settings(
        host_json.encode(),
        AppSettings({"Hub": "A", "X__accountName": "a", "T": OTHER, "Else": "1", OVERRIDE + "partitionCount": "1"}),
    )
    assert set(names) == {"Hub", "X__accountName", "T", OVERRIDE + "partitionCount"}
