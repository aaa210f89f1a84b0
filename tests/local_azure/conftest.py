"""One local Azure on stand-in hosts for all tests of its main process, and apps of their own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from azure.mgmt.web import WebSiteManagementClient

from local_azure.launch import LocalAzure
from tests.local_azure.cloud import App, client_of, make_app, running

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAzure]:
    with running(tmp_path_factory.mktemp("local-azure")) as started:
        yield started


@pytest.fixture(scope="session")
def client(azure: LocalAzure) -> Iterator[WebSiteManagementClient]:
    with client_of(azure) as made:
        yield made


@pytest.fixture
def new_app(azure: LocalAzure, client: WebSiteManagementClient) -> Iterator[Callable[..., App]]:
    """Makes apps with a staging slot; they are deleted after the test, so that few processes run at a time."""
    made: list[App] = []

    def make(**versions: str) -> App:
        made.append(make_app(azure, client, f"app{next(_numbers)}", **versions))
        return made[-1]

    yield make
    for app in made:
        client.web_apps.delete(azure.resource_group, app.name, delete_empty_server_farm=False)


@pytest.fixture
def app(new_app: Callable[..., App]) -> App:
    """An app: version 1.0 in production, 2.0 in staging."""
    return new_app(production="1.0", staging="2.0")
