"""App settings that change what a host does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .child import Child
from .conftest import APPS

SETTINGS = {
    "AzureWebJobs.extra.Disabled": "true",
    "AzureWebJobs.double.Disabled": "1",
    "AzureFunctionsJobHost__extensions__durableTask__defaultVersion": "2.1.0",
    "AzureFunctionsJobHost__extensions__durableTask__hubName": "HostOverridden",
    "AzureFunctionsJobHost__extensions__http__routePrefix": "",
}


@pytest.fixture(scope="module")
def host(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    log = tmp_path_factory.mktemp("settings") / "log"
    with Child(APPS / "everything", azurite, "HostSettings", log=log, **SETTINGS) as child:
        yield child


def test_a_disabled_function_is_listed_and_not_served(host: Child) -> None:
    assert host.call("GET", "/extra/1").status_code == 404
    functions = {function["name"]: function["isDisabled"] for function in host.admin("functions")}
    assert (functions["extra"], functions["secret"]) == (True, False)
    host.durable("POST", "orchestrators/fan_out/disabled", json={"n": 1})
    output = host.until("disabled")["output"]
    assert "The function 'double' doesn't exist, is disabled, or is not an activity function" in output


def test_the_route_prefix_can_be_taken_away(host: Child) -> None:
    assert host.call("POST", "/start/version/unprefixed").status_code == 202
    assert host.call("GET", "/api/url/x").status_code == 404


def test_the_hub_is_the_one_of_the_override(host: Child) -> None:
    urls = host.durable("POST", "orchestrators/version/in-hub").json()
    assert "taskHub=HostOverridden&" in urls["statusQueryGetUri"]


def test_starts_have_the_default_version_or_the_one_that_was_asked_for(host: Child) -> None:
    host.durable("POST", "orchestrators/version/default-version")
    host.durable("POST", "orchestrators/version/own-version?version=1.9.0")
    assert host.until("default-version")["output"] == "2.1.0"
    assert host.until("own-version")["output"] == "1.9.0"


def test_a_newer_version_than_the_hosts_waits(host: Child) -> None:
    host.durable("POST", "orchestrators/version/newer?version=3.0.0")
    host.durable("POST", "orchestrators/version/older?version=1.0.0")
    host.until("older")
    assert host.get("newer")["runtimeStatus"] == "Pending"
