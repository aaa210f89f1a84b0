"""host.json files and settings that no hub can be told from: what is given, and what must be said."""

from __future__ import annotations

import json
from typing import Any

import pytest

from zdd.core.host_json import bind_task_hub
from zdd.exceptions import BadInput, Unknown, ZddError

SECRET = "c2VjcmV0a2V5c2VjcmV0"
STORE = f"DefaultEndpointsProtocol=https;AccountName=store;AccountKey={SECRET};EndpointSuffix=core.windows.net"
OVERRIDE = "AzureFunctionsJobHost__extensions__durableTask__"


def v2(**durable: Any) -> str:
    return json.dumps({"version": "2.0", "extensions": {"durableTask": durable}})


def v1(**durable: Any) -> str:
    return json.dumps({"durableTask": durable})


CASES: list[tuple[str, str | bytes, dict[str, str], str]] = [
    ("nothing", "", {}, "host.json cannot be read"),
    ("no JSON", "{hubName: x}", {}, "at line 1, column 2"),
    ("an open comment", '{"version": "2.0"} /* ', {"X": "1"}, ""),
    ("a list", "[]", {}, "found: a JSON list at the top"),
    ("no text", b"\xff\x00\x01", {}, "save the file as UTF-8"),
    ("endless nesting", "[" * 100_000, {}, "host.json cannot be read"),
    ("deep objects", '{"a":' * 80 + "1" + "}" * 80, {}, "nested too deeply"),
    ("endless number", '{"version": ' + "9" * 5000 + "}", {}, "host.json cannot be read"),
    ("too large", " " * 1_100_000, {}, "host.json is too large"),
    ("no version", '{"extensions": {}}', {}, '"version": "2.0"'),
    ("another version", '{"version": "3.0"}', {}, "found: '3.0'"),
    ("version true", '{"version": true}', {}, "wrong version"),
    ("extensions is a list", '{"version": "2.0", "extensions": []}', {}, "extensions in host.json has the wrong shape"),
    ("durableTask is text", '{"version": "2.0", "extensions": {"durableTask": "x"}}', {}, "found: a str"),
    (
        "durableTask is text in Functions 1.x",
        '{"durableTask": "x"}',
        {},
        "durableTask in host.json has the wrong shape",
    ),
    ("storageProvider is text", v2(storageProvider="AzureStorage"), {}, "storageProvider in host.json has the wrong"),
    ("hubName is an object", v2(hubName={"a": 1}), {}, "hubname in host.json has the wrong shape"),
    ("hubName is a list", v2(hubName=["a"]), {}, "expected: a plain value"),
    (
        "hubName twice",
        '{"version":"2.0","extensions":{"durableTask":{"hubName":"a11","HubName":"b11"}}}',
        {},
        "one key twice",
    ),
    ("hub name empty", v2(hubName=""), {}, "found: ''"),
    ("hub name empty elsewhere", v2(hubName="", storageProvider={"type": "mssql"}), {}, "found: ''"),
    ("hub name too short", v2(hubName="ab"), {}, "3 to 45 letters and digits"),
    ("hub name too long", v2(hubName="a" * 51), {}, "3 to 45 letters and digits"),
    ("hub name with a dash", v2(hubName="my-hub"), {}, "found: 'my-hub'"),
    ("hub name starts with a digit", v2(hubName="1hub"), {}, "the first one a letter"),
    ("hub name with umlaut", v2(hubName="H\u00fcbchen"), {}, "H\\xfcbchen"),
    ("hub name a number", v2(hubName=12345), {}, "found: '12345'"),
    ("hub name of Functions 1.x", v1(hubName="my-hub"), {}, "found: 'my-hub'"),
    ("setting in the middle", v2(hubName="My%Env%Hub"), {"Env": "Blue"}, "only when it is the whole value"),
    ("two settings", v2(hubName="%A%%B%"), {"A": "a", "B": "b"}, "only when it is the whole value"),
    ("only percents", v2(hubName="%%"), {}, "not valid"),
    ("hub setting missing", v2(hubName="%Hub%"), {}, "expected: an app setting 'Hub'; found: no such setting"),
    ("hub setting empty", v2(hubName="%Hub%"), {"Hub": ""}, "found: an empty setting"),
    ("hub setting not valid", v2(hubName="%Hub%"), {"Hub": "no-good"}, "a value of 7 characters in app setting Hub"),
    (
        "hub setting is a secret",
        v2(hubName="%AzureWebJobsStorage%"),
        {},
        "characters in app setting AzureWebJobsStorage",
    ),
    (
        "override not valid",
        v2(),
        {OVERRIDE + "hubName": "no-good"},
        f"a value of 7 characters in app setting {OVERRIDE}hubName",
    ),
    ("hub setting in two spellings", v2(hubName="%Hub__A%"), {"Hub__A": "Blue", "hub:a": "Green"}, "given twice"),
    ("hub setting by Key Vault", v2(hubName="%Hub%"), {"Hub": "@Microsoft.KeyVault(x)"}, "is a Key Vault reference"),
    (
        "connection is a connection string",
        v2(storageProvider={"connectionName": STORE}),
        {},
        "is not the name of a setting",
    ),
    (
        "connection of Durable 1.x is one",
        v2(azureStorageConnectionStringName=STORE),
        {},
        "is not the name of a setting",
    ),
    ("connection empty", v2(storageProvider={"connectionName": " "}), {}, "is not the name of a setting"),
    (
        "connection by override is one",
        v2(),
        {OVERRIDE + "storageProvider__connectionName": STORE},
        "not the name of a setting",
    ),
    (
        "two connections",
        v2(storageProvider={"connectionName": "A", "connectionStringName": "B"}),
        {},
        "gives the connection twice with different values",
    ),
    ("time-out not a time", v2(storageProvider={"controlQueueVisibilityTimeout": "soon"}), {}, '"00:05:00"'),
    ("time-out of 25 hours", v2(storageProvider={"controlQueueVisibilityTimeout": "25:00:00"}), {}, "not a time span"),
]


@pytest.mark.parametrize(
    ("host_json", "settings", "said"), [case[1:] for case in CASES if case[3]], ids=[c[0] for c in CASES if c[3]]
)
def test_a_hub_that_cannot_be_told_is_refused_with_the_reason(
    host_json: str | bytes, settings: dict[str, str], said: str
) -> None:
    with pytest.raises(ZddError) as raised:
        bind_task_hub(host_json, {"AzureWebJobsStorage": STORE, **settings}, site_name="orders", slot_name="staging")
    assert said in str(raised.value)
    assert SECRET not in str(raised.value) + repr(raised.value)
    assert isinstance(raised.value, Unknown) is ("Key Vault" in said)
    assert raised.value.__cause__ is None


WARNED = [
    ('{"version": 2.0}', '"version" in host.json is a number'),
    ('{"version": 2}', '"version" in host.json is a number'),
    ("{}", "host.json is empty"),
    ('{"version": "2.0", "durableTask": {"hubName": "Wrong"}}', "durableTask at the root of host.json is ignored"),
    (v2(hubName="a" * 46), "has 46 characters; the documented limit is 45"),
    (v2(hubName="Orders"), "slot staging uses the default task hub name"),
    (v2(storageProvider={"trackingStoreNamePrefix": "Shared"}), "no effect without a tracking store"),
    (v2(storageProvider={"connectionName": "%X%"}), "is taken literally"),
    (v2(storageProvider={"connectionName": "X"}, azureStorageConnectionStringName="Y"), "is ignored"),
]


@pytest.mark.parametrize(("host_json", "said"), WARNED)
def test_what_is_odd_but_readable_is_a_warning(host_json: str, said: str) -> None:
    bound = bind_task_hub(host_json, {"AzureWebJobsStorage": STORE}, site_name="orders", slot_name="staging")
    assert any(said in warning for warning in bound.warnings), bound.warnings


def test_only_a_setting_that_decides_has_to_be_unambiguous() -> None:
    settings = {"AzureWebJobsStorage": STORE, "Other__A": "1", "other:a": "2"}
    assert bind_task_hub(v2(hubName="MyHub"), settings, site_name="orders", slot_name=None).binding.hub_name == "MyHub"


def test_an_error_names_no_value_even_when_a_key_lies_in_the_wrong_setting() -> None:
    with pytest.raises(BadInput) as raised:
        bind_task_hub(v2(hubName="%Hub%"), {"Hub": SECRET + "/+"}, site_name="orders", slot_name=None)
    assert SECRET not in str(raised.value)
