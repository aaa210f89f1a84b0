"""Stateful stand-ins with the SDKs' own method names, for unit tests of hooks and operators."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)

from zdd.hooks.azure_account import AzureAccount

ACCOUNT = AzureAccount("sub", "http://azure.test", "http://azure.test", "http://azure.test/.default", is_local=True)


class FakeAzureHook:
    """The hook of a connection that needs no token."""

    account = ACCOUNT


class _Entity(dict[str, Any]):
    metadata: dict[str, Any]


class FakeTables:
    """TableServiceClient: rows with ETags that move with every write."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str, str], tuple[dict[str, Any], str]] = {}
        self._etags = itertools.count(1)

    def create_table_if_not_exists(self, name: str) -> None:
        """Tables come with their first row."""

    def get_table_client(self, name: str) -> _Table:
        return _Table(self, name)


class _Table:
    def __init__(self, service: FakeTables, name: str) -> None:
        self._service, self._name = service, name

    def _entity(self, key: tuple[str, str, str]) -> _Entity:
        row, etag = self._service.rows[key]
        entity = _Entity(copy.deepcopy(row))
        entity.metadata = {"etag": etag}
        return entity

    def get_entity(self, partition: str, row: str) -> _Entity:
        try:
            return self._entity((self._name, partition, row))
        except KeyError:
            raise ResourceNotFoundError("no such row") from None

    def create_entity(self, entity: Mapping[str, Any]) -> None:
        key = (self._name, entity["PartitionKey"], entity["RowKey"])
        if key in self._service.rows:
            raise ResourceExistsError("row exists")
        self._service.rows[key] = dict(entity), f"e{next(self._service._etags)}"

    def update_entity(self, entity: Mapping[str, Any], *, mode: Any, etag: str, match_condition: Any) -> None:
        key = (self._name, entity["PartitionKey"], entity["RowKey"])
        if self._service.rows[key][1] != etag:
            raise ResourceModifiedError("row changed")
        self._service.rows[key] = dict(entity), f"e{next(self._service._etags)}"

    def query_entities(self, query: str, *, parameters: Mapping[str, Any]) -> Iterator[_Entity]:
        keys = [key for key in self._service.rows if key[0] == self._name and key[1] == parameters["key"]]
        return iter([self._entity(key) for key in keys])


class FakePoller:
    """LROPoller of a swap: the switch happens when its result is asked for, unless `end` says otherwise."""

    def __init__(self, apps: FakeWebApps, token: str) -> None:
        self._apps, self._token, self._status = apps, token, "InProgress"

    def continuation_token(self) -> str:
        return self._token

    def result(self, timeout: float | None = None) -> None:
        if self._apps.swap_fails:
            self._status = "Failed"
            self._apps.in_progress = None
            raise HttpResponseError("the slot did not answer its warm-up request")
        self._status = "Succeeded"
        self._apps.finish_swap(self._token)

    def status(self) -> str:
        return self._status

    def done(self) -> bool:
        return self._status == "Succeeded"


class FakeWebApps:
    """WebAppsOperations of one app with two slots; settings travel in a swap."""

    def __init__(self) -> None:
        self.settings: dict[str | None, dict[str, str]] = {None: {}, "staging": {}}
        self.function_names: dict[str | None, list[str]] = {None: [], "staging": []}
        self.previews: dict[str | None, str | None] = {None: None, "staging": None}
        self.in_progress: str | None = None
        self.swap_fails = False
        self.swaps_posted = 0
        self.calls: list[str] = []
        self.before_swap: Callable[[], None] = lambda: None
        self._ended: set[str] = set()

    def _site(self, slot: str | None) -> Any:
        return SimpleNamespace(
            state="Running",
            default_host_name=f"app-{slot or 'production'}.test",
            in_progress_operation_id=self.in_progress,
            target_swap_slot=self.previews[slot],
            sku="ElasticPremium",
        )

    def get(self, group: str, name: str) -> Any:
        return self._site(None)

    def get_slot(self, group: str, name: str, slot: str) -> Any:
        if slot not in self.settings:
            raise ResourceNotFoundError("no such slot")
        return self._site(slot)

    def list_application_settings(self, group: str, name: str) -> Any:
        return SimpleNamespace(properties=dict(self.settings[None]))

    def list_application_settings_slot(self, group: str, name: str, slot: str) -> Any:
        return SimpleNamespace(properties=dict(self.settings[slot]))

    def update_application_settings(self, group: str, name: str, body: Any) -> None:
        self.calls.append("settings of production")
        self.settings[None] = dict(body["properties"])

    def update_application_settings_slot(self, group: str, name: str, slot: str, body: Any) -> None:
        self.calls.append(f"settings of {slot}")
        self.settings[slot] = dict(body["properties"])

    def list_functions(self, group: str, name: str) -> list[Any]:
        return [_envelope(f"{name}/{function}") for function in self.function_names[None]]

    def list_instance_functions_slot(self, group: str, name: str, slot: str) -> list[Any]:
        return [_envelope(f"{name}/{slot}/{function}") for function in self.function_names[slot]]

    def reset_slot_configuration_slot(self, group: str, name: str, slot: str) -> None:
        self.calls.append(f"reset of {slot}")
        self.previews[slot] = None

    def begin_swap_slot(
        self, group: str, name: str, slot: str, body: Any, continuation_token: str | None = None
    ) -> FakePoller:
        if continuation_token is None:
            if self.in_progress:
                raise HttpResponseError(message="another operation is in progress", response=_response(409))
            self.before_swap()
            self.swaps_posted += 1
            self.calls.append("swap")
            continuation_token = f"swap-{self.swaps_posted}"
            self.in_progress = continuation_token
        return FakePoller(self, continuation_token)

    def finish_swap(self, token: str) -> None:
        if token in self._ended:
            return
        self._ended.add(token)
        self.in_progress = None
        for parts in (self.settings, self.function_names):
            parts[None], parts["staging"] = parts["staging"], parts[None]  # type: ignore[index]


def _envelope(name: str) -> Any:
    return SimpleNamespace(name=name, config={"bindings": [{"type": "httpTrigger"}]}, is_disabled=False)


def _response(status: int) -> Any:
    request = SimpleNamespace(method="POST", url="http://azure.test/x")
    return SimpleNamespace(status_code=status, reason="Conflict", request=request, headers={}, text=lambda: "{}")
