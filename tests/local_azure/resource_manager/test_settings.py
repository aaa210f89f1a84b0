"""App settings, connection strings and the names of sticky ones through the public SDK."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from azure.mgmt.web.models import (
    ConnectionStringDictionary,
    ConnStringValueTypePair,
    SlotConfigNames,
    SlotConfigNamesResource,
    StringDictionary,
)

from tests.local_azure.cloud import App


def test_settings_are_replaced_as_a_whole_and_reach_the_host(new_app: Callable[..., App]) -> None:
    app = new_app()
    web_apps = app.client.web_apps
    web_apps.update_application_settings(app.group, app.name, StringDictionary(properties={"A": "1", "B": "2"}))
    assert {"A": "1", "B": "2"}.items() <= app.environment("production").items()
    web_apps.update_application_settings(app.group, app.name, StringDictionary(properties={"B": "3"}))
    assert app.settings("production") == {"B": "3"}
    environment = app.environment("production")
    assert environment["B"] == "3"
    assert "A" not in environment


def test_a_settings_change_restarts_the_host_and_an_equal_one_does_not(new_app: Callable[..., App]) -> None:
    app = new_app()
    app.set_settings("staging", A="1")
    first = app.ask("staging")["pid"]
    app.set_settings("staging", A="1")
    assert app.ask("staging")["pid"] == first
    app.set_settings("staging", A="2")
    assert app.ask("staging")["pid"] != first


def test_connection_strings_reach_the_host_under_their_name_and_with_their_prefix(new_app: Callable[..., App]) -> None:
    app = new_app()
    web_apps = app.client.web_apps
    strings = ConnectionStringDictionary(
        properties={
            "Orders": ConnStringValueTypePair(value="one", type="Custom"),
            "Sql": ConnStringValueTypePair(value="two", type="SQLAzure"),
        }
    )
    web_apps.update_connection_strings_slot(app.group, app.name, "staging", strings)
    environment = app.environment("staging")
    expected = {"CUSTOMCONNSTR_Orders": "one", "Orders": "one", "SQLAZURECONNSTR_Sql": "two"}
    assert expected.items() <= environment.items()
    found: Any = web_apps.list_connection_strings_slot(app.group, app.name, "staging").properties
    assert {name: (one.value, one.type) for name, one in found.items()} == {
        "Orders": ("one", "Custom"),
        "Sql": ("two", "SQLAzure"),
    }
    web_apps.update_connection_strings(app.group, app.name, ConnectionStringDictionary(properties={}))
    assert not web_apps.list_connection_strings(app.group, app.name).properties


def test_sticky_names_are_kept_for_the_whole_site_and_replaced_as_a_whole(new_app: Callable[..., App]) -> None:
    app = new_app()
    web_apps = app.client.web_apps
    assert web_apps.list_slot_configuration_names(app.group, app.name).properties.app_setting_names is None
    names = SlotConfigNamesResource(properties=SlotConfigNames(app_setting_names=["A"], connection_string_names=["C"]))
    web_apps.update_slot_configuration_names(app.group, app.name, names)
    found = web_apps.list_slot_configuration_names(app.group, app.name)
    assert found.properties.app_setting_names == ["A"]
    assert found.properties.connection_string_names == ["C"]
    names = SlotConfigNamesResource(properties=SlotConfigNames(app_setting_names=["B"]))
    web_apps.update_slot_configuration_names(app.group, app.name, names)
    found = web_apps.list_slot_configuration_names(app.group, app.name)
    assert found.properties.app_setting_names == ["B"]
    assert found.properties.connection_string_names is None


def test_settings_can_come_with_the_slot_s_creation(new_app: Callable[..., App]) -> None:
    app = new_app()
    config = {
        "appSettings": [{"name": "A", "value": "1"}],
        "connectionStrings": [{"name": "C", "connectionString": "x", "type": "Custom"}],
    }
    body: Any = {"location": "westeurope", "properties": {"siteConfig": config}}
    app.client.web_apps.begin_create_or_update_slot(app.group, app.name, "staging", body).result()
    assert app.settings("staging") == {"A": "1"}
    assert app.environment("staging")["CUSTOMCONNSTR_C"] == "x"
