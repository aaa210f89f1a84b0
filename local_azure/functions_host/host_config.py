"""What host.json and the app settings say: routes, task hub, storage, versions, timeouts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

DEFAULT_HUB_IN_AZURE_VARIABLE = "WEBSITE_SITE_NAME"
LOCAL_DEFAULT_HUB = "TestHubName"
DEFAULT_CONNECTION = "AzureWebJobsStorage"
OVERRIDE_PREFIX = "azurefunctionsjobhost"
HUB_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{2,44}")
CONNECTION_VARIABLE_PREFIXES = ("", "CUSTOMCONNSTR_", "SQLAZURECONNSTR_", "SQLCONNSTR_", "MYSQLCONNSTR_")


class HostConfigError(Exception):
    """The host cannot start with this host.json; the message is what its status reports."""


@dataclass(frozen=True)
class DurableConfig:
    """The durableTask section, with everything resolved that the settings can resolve."""

    hub_name: str
    connection_name: str
    connection_string: str
    tracking_connection_name: str | None
    tracking_connection_string: str | None
    tracking_prefix: str | None
    partition_count: int
    control_queue_visibility: timedelta
    work_item_queue_visibility: timedelta
    max_queue_polling_interval: timedelta
    max_concurrent_activities: int | None
    max_concurrent_orchestrators: int | None
    default_version: str | None
    version_match_strategy: str
    version_failure_strategy: str
    extended_sessions: bool
    use_app_lease: bool


@dataclass(frozen=True)
class HostConfig:
    """host.json as far as this host reads it."""

    route_prefix: str
    has_extension_bundle: bool
    durable: Mapping[str, Any]


def read_host_json(text: str | None, settings: Mapping[str, str]) -> HostConfig:
    """Read host.json and lay the AzureFunctionsJobHost__* settings over it. Raises HostConfigError."""
    document = _parse(text)
    version = document.get("version")
    if text is not None and str(version) not in ("2.0", "2"):
        raise HostConfigError(
            "The host.json file is missing the required 'version' property. See https://aka.ms/functions-hostjson for "
            "steps to migrate the configuration file."
            if version is None
            else f"'{version}' is an invalid value for host.json 'version' property."
        )
    _override(document, settings)
    extensions = _section(document, "extensions")
    prefix = _get(_section(extensions, "http"), "routePrefix")
    return HostConfig(
        route_prefix="api" if prefix is None else str(prefix).strip("/"),
        has_extension_bundle=bool(_get(document, "extensionBundle")),
        durable=_section(extensions, "durableTask"),
    )


def read_durable(config: HostConfig, settings: Mapping[str, str]) -> DurableConfig:
    """Resolve the durableTask section. Raises HostConfigError where the real extension refuses to start."""
    durable = config.durable
    # Durable 1.x kept the provider's options beside hubName; where both stand, storageProvider's are in force.
    provider = {**durable, **_section(durable, "storageProvider")}
    kind = str(_get(provider, "type") or "AzureStorage")
    if kind.lower() not in ("azurestorage", "azure_storage"):
        raise HostConfigError(f"expected storageProvider.type AzureStorage, found {kind!r}: only that can be run here")
    connection_name = str(
        _get(provider, "connectionName")
        or _get(provider, "connectionStringName")
        or _get(provider, "azureStorageConnectionStringName")
        or DEFAULT_CONNECTION
    )
    tracking_name = _get(provider, "trackingStoreConnectionName") or _get(provider, "trackingStoreConnectionStringName")
    return DurableConfig(
        hub_name=_hub_name(_get(durable, "hubName"), settings),
        connection_name=connection_name,
        connection_string=connection(settings, connection_name),
        tracking_connection_name=str(tracking_name) if tracking_name else None,
        tracking_connection_string=connection(settings, str(tracking_name)) if tracking_name else None,
        tracking_prefix=str(_get(provider, "trackingStoreNamePrefix") or "DurableTask") if tracking_name else None,
        partition_count=_number(provider, "partitionCount", 4, 1, 16),
        control_queue_visibility=_span(provider, "controlQueueVisibilityTimeout", timedelta(minutes=5)),
        work_item_queue_visibility=_span(provider, "workItemQueueVisibilityTimeout", timedelta(minutes=5)),
        max_queue_polling_interval=_span(provider, "maxQueuePollingInterval", timedelta(seconds=30)),
        max_concurrent_activities=_optional_number(durable, "maxConcurrentActivityFunctions"),
        max_concurrent_orchestrators=_optional_number(durable, "maxConcurrentOrchestratorFunctions"),
        default_version=_text(durable, "defaultVersion"),
        version_match_strategy=_choice(
            durable, "versionMatchStrategy", "CurrentOrOlder", ("None", "Strict", "CurrentOrOlder")
        ),
        version_failure_strategy=_choice(durable, "versionFailureStrategy", "Reject", ("Reject", "Fail")),
        extended_sessions=str(_get(durable, "extendedSessionsEnabled")).lower() == "true",
        use_app_lease=str(_get(durable, "useAppLease")).lower() != "false",
    )


def connection(settings: Mapping[str, str], name: str) -> str:
    """Resolve a storage connection by its setting's name, as the extension does. Raises HostConfigError."""
    for prefix in CONNECTION_VARIABLE_PREFIXES:
        value = setting(settings, prefix + name)
        if value:
            return _development_storage(value, settings)
    parts = {key: setting(settings, f"{name}__{key}") for key in ("queueServiceUri", "tableServiceUri", "accountName")}
    if any(parts.values()):
        raise HostConfigError(
            f"the storage connection {name!r} uses an identity; expected a connection string: the local host has no "
            "managed identity"
        )
    raise HostConfigError(f"Unable to resolve the Azure Storage connection named '{name}'.")


def setting(settings: Mapping[str, str], name: str) -> str | None:
    """A setting by name, case ignored, as the host's configuration reads it."""
    if name in settings:
        return settings[name]
    lowered = name.lower()
    return next((value for key, value in settings.items() if key.lower() == lowered), None)


def _development_storage(value: str, settings: Mapping[str, str]) -> str:
    if "usedevelopmentstorage=true" not in value.lower():
        return value
    # A local Azurite on free ports cannot be what this shorthand means: the stand-in says where its own is.
    return setting(settings, "LOCAL_AZURE_STORAGE") or value


def _hub_name(configured: Any, settings: Mapping[str, str]) -> str:
    site = settings.get(DEFAULT_HUB_IN_AZURE_VARIABLE) or ""
    default = _sanitized(site) if site else LOCAL_DEFAULT_HUB
    name = default if configured in (None, "") else str(configured)
    if name.startswith("%") and name.endswith("%") and len(name) > 2:
        resolved = setting(settings, name[1:-1])
        if not resolved:
            raise HostConfigError(
                f"Task hub name '{name}' cannot be resolved: expected an app setting {name[1:-1]!r}, found none."
            )
        name = resolved
    slot = settings.get("WEBSITE_SLOT_NAME") or "Production"
    if slot.lower() != "production" and name.lower() == default.lower():
        raise HostConfigError(
            "Task Hub name must be specified in host.json when using slots. Specified name must not equal the default "
            f"HubName ({default}). See https://aka.ms/functions-hostjson for more information."
        )
    if not HUB_NAME.fullmatch(name):
        raise HostConfigError(
            f"Task hub name '{name}' should contain only alphanumeric characters, start with a letter, and have length "
            "between 3 and 45."
        )
    return name


def _sanitized(name: str) -> str:
    cleaned = re.sub(r"[^A-Za-z0-9]", "", name)
    if not cleaned:
        return "DefaultTaskHub"
    if cleaned[0].isdigit():
        cleaned = "t" + cleaned
    return cleaned[:45] if len(cleaned) >= 3 else cleaned + "Hub"


def _parse(text: str | None) -> dict[str, Any]:
    if text is None:
        return {"version": "2.0"}
    try:
        document = json.loads(_without_comments(text.removeprefix("\ufeff")))
    except ValueError as error:
        raise HostConfigError(f"Unable to parse host configuration file 'host.json'. : {error}") from error
    if not isinstance(document, dict):
        raise HostConfigError(
            "Unable to parse host configuration file 'host.json'. : "
            f"expected an object, found {type(document).__name__}"
        )
    return document


def _without_comments(text: str) -> str:
    # The real parser allows // and /* */ comments; strings are matched first so that URLs in them stay whole.
    pattern = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
    return pattern.sub(lambda m: m.group() if m.group().startswith('"') else " ", text)


def _override(document: dict[str, Any], settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        parts = re.split(r"__|:", name)
        if len(parts) < 2 or parts[0].lower() != OVERRIDE_PREFIX:
            continue
        place = document
        for part in parts[1:-1]:
            key = _key(place, part)
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[_key(place, parts[-1])] = value


def _key(section: Mapping[str, Any], name: str) -> str:
    return next((key for key in section if key.lower() == name.lower()), name)


def _get(section: Mapping[str, Any], name: str) -> Any:
    return section.get(_key(section, name))


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = _get(document, name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise HostConfigError(f"expected an object at '{name}' in host.json, found {found!r}")
    return found


def _text(section: Mapping[str, Any], name: str) -> str | None:
    value = _get(section, name)
    return None if value in (None, "") else str(value)


def _number(section: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = _get(section, name)
    if value is None:
        return default
    try:
        number = int(value)
    except (TypeError, ValueError) as error:
        raise HostConfigError(f"expected a number for '{name}' in host.json, found {value!r}") from error
    if not least <= number <= most:
        raise HostConfigError(f"'{name}' must be an integer value between {least} and {most}, found {number}.")
    return number


def _optional_number(section: Mapping[str, Any], name: str) -> int | None:
    return None if _get(section, name) is None else _number(section, name, 0, 1, 1_000_000)


def _span(section: Mapping[str, Any], name: str, default: timedelta) -> timedelta:
    value = _get(section, name)
    if value is None:
        return default
    match = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,7}))?)?", str(value).strip())
    if match is None:
        raise HostConfigError(f"expected a time span hh:mm:ss for '{name}' in host.json, found {value!r}")
    days, hours, minutes, seconds, fraction = match.groups(default="0")
    return timedelta(
        days=int(days),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds),
        microseconds=int(fraction.ljust(7, "0")[:6]),
    )


def _choice(section: Mapping[str, Any], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = _get(section, name)
    if value in (None, ""):
        return default
    found = next((item for item in allowed if item.lower() == str(value).lower()), None)
    if found is None:
        raise HostConfigError(f"expected one of {', '.join(allowed)} for '{name}' in host.json, found {value!r}")
    return found
