"""host.json and the app settings."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from local_azure.functions_host.host_config import (
    DurableConfig,
    HostConfigError,
    read_durable,
    read_host_json,
)

STORAGE = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=b;"
PRODUCTION = {"AzureWebJobsStorage": STORAGE, "WEBSITE_SITE_NAME": "my-app", "WEBSITE_SLOT_NAME": "Production"}
STAGING = {**PRODUCTION, "WEBSITE_SLOT_NAME": "staging"}


def durable(section: dict[str, Any], settings: dict[str, str] = PRODUCTION) -> DurableConfig:
    text = json.dumps({"version": "2.0", "extensions": {"durableTask": section}})
    return read_durable(read_host_json(text, settings), settings)


def test_defaults_are_those_of_the_extension() -> None:
    config = durable({})
    assert config.hub_name == "myapp"
    assert config.connection_name == "AzureWebJobsStorage"
    assert config.partition_count == 4
    assert config.control_queue_visibility == timedelta(minutes=5)
    assert config.max_queue_polling_interval == timedelta(seconds=30)
    assert (config.version_match_strategy, config.version_failure_strategy) == ("CurrentOrOlder", "Reject")
    assert config.tracking_prefix is None
    assert not config.extended_sessions


def test_the_storage_providers_section_is_read() -> None:
    settings = {**PRODUCTION, "CUSTOMCONNSTR_Other": "other", "Track": "track"}
    config = durable(
        {
            "hubName": "Blue",
            "defaultVersion": "1.2.0",
            "versionMatchStrategy": "strict",
            "extendedSessionsEnabled": True,
            "storageProvider": {
                "connectionStringName": "Other",
                "partitionCount": 7,
                "workItemQueueVisibilityTimeout": "00:01:30",
                "maxQueuePollingInterval": "00:00:00.5",
                "trackingStoreConnectionName": "Track",
            },
        },
        settings,
    )
    assert (config.hub_name, config.connection_name, config.connection_string) == ("Blue", "Other", "other")
    assert (config.tracking_connection_string, config.tracking_prefix) == ("track", "DurableTask")
    assert config.partition_count == 7
    assert config.work_item_queue_visibility == timedelta(seconds=90)
    assert config.max_queue_polling_interval == timedelta(milliseconds=500)
    assert (config.default_version, config.version_match_strategy) == ("1.2.0", "Strict")


def test_a_hub_name_in_percent_signs_is_a_setting() -> None:
    assert durable({"hubName": "%Hub%"}, {**STAGING, "Hub": "Green"}).hub_name == "Green"
    with pytest.raises(HostConfigError, match="expected an app setting 'Hub', found none"):
        durable({"hubName": "%Hub%"})


@pytest.mark.parametrize("separator", ["__", ":"])
def test_settings_override_host_json_in_any_case(separator: str) -> None:
    name = separator.join(["azurefunctionsjobhost", "Extensions", "DurableTask", "HubName"])
    assert durable({"hubName": "Blue"}, {**PRODUCTION, name: "Green"}).hub_name == "Green"


@pytest.mark.parametrize("section", [{}, {"hubName": "MYAPP"}])
def test_a_slot_with_the_default_hub_name_does_not_start(section: dict[str, Any]) -> None:
    assert durable(section).hub_name.lower() == "myapp"
    with pytest.raises(HostConfigError, match=r"Task Hub name must be specified in host\.json when using slots"):
        durable(section, STAGING)


@pytest.mark.parametrize("name", ["a", "1abc", "my-hub", "a" * 46])
def test_a_bad_hub_name_is_refused(name: str) -> None:
    with pytest.raises(HostConfigError, match="alphanumeric"):
        durable({"hubName": name})


def test_the_route_prefix_may_be_empty() -> None:
    text = '{"version": "2.0", "extensions": {"http": {"routePrefix": ""}}}'
    assert read_host_json(text, {}).route_prefix == ""
    assert read_host_json('{"version": "2.0"}', {}).route_prefix == "api"


def test_comments_are_allowed_and_urls_survive_them() -> None:
    text = '{/* one */ "version": "2.0", // two\n "extensions": {"http": {"routePrefix": "http://x"}}}'
    assert read_host_json(text, {}).route_prefix == "http://x"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Unable to parse host configuration file"),
        ("[]", "expected an object, found list"),
        ("{}", "missing the required 'version' property"),
        ('{"version": "3.0"}', "'3.0' is an invalid value"),
        ('{"version": "2.0", "extensions": []}', "expected an object at 'extensions'"),
        ('{"durableTask": {"hubName": "x"}}', "missing the required 'version' property"),
    ],
)
def test_a_bad_host_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(HostConfigError, match=message):
        read_host_json(text, {})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"storageProvider": {"partitionCount": 17}}, "between 1 and 16, found 17"),
        ({"storageProvider": {"maxQueuePollingInterval": "soon"}}, "time span"),
        ({"storageProvider": {"connectionName": "Nope"}}, "connection named 'Nope'"),
        ({"storageProvider": {"type": "mssql"}}, "AzureStorage, found 'mssql'"),
        ({"versionMatchStrategy": "Newest"}, "one of None, Strict, CurrentOrOlder"),
    ],
)
def test_bad_values_are_refused(section: dict[str, Any], message: str) -> None:
    with pytest.raises(HostConfigError, match=message):
        durable({"hubName": "Blue", **section})
