"""host.json and the app settings of a slot to the task hub that its code uses: one `TaskHubBinding`.

Read as the .NET configuration of the Functions host reads them: keys without case, `AzureFunctionsJobHost__…` settings
over the file. Key names by generation come from the extension's AzureStorageOptions.cs and DurableTaskOptions.cs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from zdd.core import hub_name as hub_names
from zdd.core.app_settings import AppSettings, configuration_key, is_unresolved_reference, merge_settings
from zdd.core.host_json_keys import Generation, HostJson, Value, read_host_json
from zdd.core.storage_reference import StorageKind, StorageReference, read_storage
from zdd.exceptions import BadInput, Unknown

__all__ = [
    "Bound",
    "StorageKind",
    "StorageReference",
    "TaskHubBinding",
    "bind_task_hub",
    "configuration_key",
    "merge_settings",
]

DEFAULT_CONNECTION = "AzureWebJobsStorage"
DEFAULT_TRACKING_PREFIX = "DurableTask"
DEFAULT_VISIBILITY_TIMEOUT = timedelta(minutes=5)
AZURE_STORAGE = "AzureStorage"

_TIME_SPAN = re.compile(r"(?:(\d{1,6})\.)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.\d{1,7})?)?\Z")


@dataclass(frozen=True)
class TaskHubBinding:
    """The task hub that the code in a slot uses, and how to reach its storage."""

    hub_name: str
    storage: StorageReference
    tracking_storage: StorageReference | None = None
    tracking_prefix: str | None = None
    hub_name_source: str = "host.json"
    is_default_hub_name: bool = False
    default_version: str | None = None
    version_match_strategy: str | None = None
    version_failure_strategy: str | None = None
    control_queue_visibility_timeout: timedelta = DEFAULT_VISIBILITY_TIMEOUT
    storage_provider: str = AZURE_STORAGE

    @property
    def instances_table(self) -> str:
        """Table of the instance rows; of the tracking store where there is one."""
        return f"{self.tracking_prefix or self.hub_name}Instances"

    @property
    def history_table(self) -> str:
        """Table of the history events; of the tracking store where there is one."""
        return f"{self.tracking_prefix or self.hub_name}History"

    def identity(self) -> tuple[str | None, str]:
        """(account, hub in lower case): equal for two bindings to one hub. An account of None is not known."""
        return self.storage.account, self.hub_name.lower()

    def fingerprint(self) -> str:
        """One line for evidence that changes when the slot is bound to another hub or store. Holds no secret."""
        parts = [f"hub={self.hub_name.lower()}", f"storage={_place(self.storage)}"]
        if self.tracking_storage:
            parts.append(f"tracking={_place(self.tracking_storage)}/{self.tracking_prefix}")
        if self.storage_provider != AZURE_STORAGE:
            parts.append(f"provider={self.storage_provider}")
        return " ".join(parts)


@dataclass(frozen=True)
class Bound:
    """A binding and what looked wrong on the way to it."""

    binding: TaskHubBinding
    warnings: tuple[str, ...] = ()


def bind_task_hub(
    host_json: bytes | str, settings: Mapping[str, str], *, site_name: str, slot_name: str | None
) -> Bound:
    """The hub that code with this host.json uses under these settings (app settings and connection strings merged).

    :param site_name: the site's name (WEBSITE_SITE_NAME), the same in each of its slots.
    :param slot_name: the slot, None for production. Only words depend on it: the hub never does.
    :raises BadInput: host.json cannot be read, a setting that `%…%` names is missing, or the hub name is not valid.
    :raises Unknown: a value that decides about the hub is a Key Vault reference that is not resolved here.
    """
    app = AppSettings(settings)
    host = read_host_json(host_json, app)
    warnings = list(host.warnings)
    provider = _provider(host)
    name, source = _hub_name(host, app, site_name, check=provider == AZURE_STORAGE, warnings=warnings)
    is_default = name.lower() == _default_hub_name(host, site_name).lower()
    if slot_name and slot_name.lower() != "production" and is_default:
        warnings.append(f"slot {slot_name} uses the default task hub name: the Functions host refuses to start there")
    storage = _storage(host, app, "connection", warnings) or read_storage(app, DEFAULT_CONNECTION)
    tracking = _storage(host, app, "tracking connection", warnings)
    prefix = host.text("tracking prefix")
    if prefix and not tracking:
        warnings.append("trackingStoreNamePrefix has no effect without a tracking store connection")
    if host.generation is Generation.FUNCTIONS_2_DURABLE_2 and storage.kind is StorageKind.MISSING:
        warnings.append(f"no setting gives the storage connection {storage.setting_name}")
    binding = TaskHubBinding(
        hub_name=name,
        storage=storage,
        tracking_storage=tracking,
        tracking_prefix=(prefix or DEFAULT_TRACKING_PREFIX) if tracking else None,
        hub_name_source=source,
        is_default_hub_name=is_default,
        default_version=host.text("default version"),
        version_match_strategy=host.text("version match strategy"),
        version_failure_strategy=host.text("version failure strategy"),
        control_queue_visibility_timeout=_time_span(host.value("control queue visibility timeout")),
        storage_provider=provider,
    )
    return Bound(binding, tuple(dict.fromkeys(warnings)))


def _provider(host: HostJson) -> str:
    provider = host.text("provider type") or AZURE_STORAGE
    return AZURE_STORAGE if provider.lower() == AZURE_STORAGE.lower() else hub_names.shown(provider).strip("'")


def _default_hub_name(host: HostJson, site_name: str) -> str:
    if host.generation is Generation.FUNCTIONS_2_DURABLE_2:
        return hub_names.default_hub_name(site_name)
    return hub_names.DURABLE_1_DEFAULT


def _hub_name(
    host: HostJson, settings: AppSettings, site_name: str, *, check: bool, warnings: list[str]
) -> tuple[str, str]:
    given = host.value("hub name")
    if given is None:
        return _default_hub_name(host, site_name), "default"
    name, source, may_show = given.text, given.source, given.in_file
    if len(name) > 2 and name.startswith("%") and name.endswith("%") and "%" not in name[1:-1]:
        setting = name[1:-1]
        value = settings.get(setting)
        if not value:
            raise BadInput(
                f"The task hub name in {source} comes from an app setting that does not exist",
                expected=f"an app setting {hub_names.shown(setting)}",
                found="no such setting" if value is None else "an empty setting",
                do="add the setting to this slot, not as a deployment slot setting, or correct its name in host.json",
            )
        name, may_show = value, False
        source = f"app setting {settings.name_of(setting)} by {source}"
    if is_unresolved_reference(name):
        raise Unknown(
            "The task hub name is a Key Vault reference",
            expected="a plain value",
            found=f"a reference in {source}",
            do="write the hub name as a plain app setting: it is no secret, and nobody can see the hub otherwise",
        )
    if check or not name:
        warning = hub_names.check_hub_name(name, source=source, may_show=may_show)
        warnings.extend([warning] if warning else [])
    return name, source


def _storage(host: HostJson, settings: AppSettings, what: str, warnings: list[str]) -> StorageReference | None:
    given = host.value(what)
    if given is None:
        return None
    if is_unresolved_reference(given.text):
        raise Unknown(
            f"The name of the {what} setting is a Key Vault reference",
            found=f"a reference in {given.source}",
            do="name the setting in host.json and let that setting be the reference",
        )
    if hub_names.looks_secret(given.text) or not given.text.strip():
        raise BadInput(
            f"The {what} in {given.source} is not the name of a setting",
            expected="the name of an app setting or connection string",
            found=hub_names.shown(given.text),
            do="put the connection string into an app setting and its name here; change the key if it was committed",
        )
    reference = read_storage(settings, given.text)
    if reference.kind is StorageKind.MISSING and "%" in given.text:
        warnings.append(f"{hub_names.shown(given.text)} is taken literally: connection names are not resolved")
    return reference


def _time_span(value: Value | None) -> timedelta:
    """A .NET TimeSpan, `[d.]hh:mm[:ss[.fffffff]]` or whole days."""
    if value is None:
        return DEFAULT_VISIBILITY_TIMEOUT
    text = value.text.strip()
    if re.fullmatch(r"[0-9]{1,3}", text):
        return timedelta(days=int(text))
    match = _TIME_SPAN.match(text)
    if match:
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        if hours < 24 and minutes < 60 and seconds < 60:
            return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    raise BadInput(
        f"controlQueueVisibilityTimeout in {value.source} is not a time span",
        expected='a text such as "00:05:00"',
        found=hub_names.shown(text) if value.in_file else f"a value of {len(text)} characters",
        do="correct host.json",
    )


def _place(storage: StorageReference) -> str:
    return storage.account or f"{storage.kind.value}:{storage.setting_name}"
