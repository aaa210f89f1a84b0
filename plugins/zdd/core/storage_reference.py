"""How a slot reaches a storage account: by connection string, by identity, by Key Vault reference, or not at all."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from zdd.core.app_settings import AppSettings, is_unresolved_reference

_SERVICES = ("table", "queue", "blob")
_PREFIX = "AzureWebJobs"


class StorageKind(StrEnum):
    """By what means a setting gives access to a storage account."""

    CONNECTION_STRING = "connection_string"
    IDENTITY = "identity"
    KEY_VAULT = "key_vault"
    MISSING = "missing"


@dataclass(frozen=True)
class StorageReference:
    """A storage account as a setting names it. `account` compares accounts; None means that it is not known."""

    setting_name: str
    kind: StorageKind
    connection_string: str | None = field(default=None, repr=False)
    table_endpoint: str | None = None
    queue_endpoint: str | None = None
    blob_endpoint: str | None = None
    account: str | None = None
    # The text of a Key Vault reference: equal texts are one account, whatever it is.
    reference: str | None = field(default=None, repr=False)


def same_account(one: StorageReference, other: StorageReference) -> bool | None:
    """Whether two references lead to one account; None when that cannot be told."""
    if one.account and other.account:
        return _same_name(one.account, other.account)
    for a, b in ((one.connection_string, other.connection_string), (one.reference, other.reference)):
        if a and a == b:
            return True
    return None


def _same_name(one: str, other: str) -> bool | None:
    if one == other:
        return True
    # One emulator may be reached under two host names; on two ports there are two of them.
    (name, _, place), (other_name, _, other_place) = one.partition("@"), other.partition("@")
    if name != other_name or bool(place) != bool(other_place):
        return False
    return None if place.rpartition(":")[2] == other_place.rpartition(":")[2] else False


def read_storage(settings: AppSettings, setting_name: str) -> StorageReference:
    """The account behind a connection name, looked up as WebJobs does.

    The order is that of `GetWebJobsConnectionStringSection`: the name with the prefix AzureWebJobs first, then as it
    is, and for each of them a connection string before an app setting.
    """
    candidates = [setting_name]
    if not setting_name.lower().startswith(_PREFIX.lower()):
        candidates.insert(0, _PREFIX + setting_name)
    for name in candidates:
        for section in (f"ConnectionStrings:{name}", name):
            value = settings.get(section)
            if value:
                return _from_value(name, value)
            if identity := _from_identity(settings, section, name):
                return identity
    return StorageReference(setting_name, StorageKind.MISSING)


def _from_value(name: str, value: str) -> StorageReference:
    if is_unresolved_reference(value):
        return StorageReference(name, StorageKind.KEY_VAULT, reference=value.strip())
    return StorageReference(name, StorageKind.CONNECTION_STRING, connection_string=value, account=account_of(value))


def _from_identity(settings: AppSettings, section: str, name: str) -> StorageReference | None:
    parts = {key: settings.get(f"{section}:{key}") for key in settings.below(section)}
    given = {key: value for key, value in parts.items() if value}
    named = [given.get("accountname"), given.get("serviceuri"), *(given.get(f"{s}serviceuri") for s in _SERVICES)]
    if not any(named):
        return None
    if any(value and is_unresolved_reference(value) for value in named):
        return StorageReference(name, StorageKind.KEY_VAULT)
    account_name = given.get("accountname")
    endpoints: dict[str, str | None] = dict.fromkeys(_SERVICES)
    if account_name:
        endpoints = {s: f"https://{account_name.lower()}.{s}.core.windows.net" for s in _SERVICES}
    elif service_uri := given.get("serviceuri"):
        endpoints = _all_services(service_uri)
    for service in _SERVICES:
        endpoints[service] = given.get(f"{service}serviceuri") or endpoints[service]
    accounts = {account_at(uri, account_name) for uri in endpoints.values() if uri}
    return StorageReference(
        name,
        StorageKind.IDENTITY,
        table_endpoint=endpoints["table"],
        queue_endpoint=endpoints["queue"],
        blob_endpoint=endpoints["blob"],
        account=_one_account(endpoints, account_name) if accounts else None,
    )


def _one_account(endpoints: dict[str, str | None], account_name: str | None) -> str | None:
    names = [account_at(uri, account_name) for service in _SERVICES if (uri := endpoints[service])]
    plain = {name.partition("@")[0] if name else None for name in names}
    # Services in several accounts cannot be compared as one.
    return names[0] if len(plain) == 1 else None


def _all_services(uri: str) -> dict[str, str | None]:
    """Endpoints of all three services from the address of one, where its host name says which service it is."""
    host = urlsplit_or_none(uri)
    if host:
        for service in _SERVICES:
            if f".{service}." in host[0]:
                return {s: uri.replace(f".{service}.", f".{s}.", 1) for s in _SERVICES}
    return dict.fromkeys(_SERVICES)


def parse_connection_string(value: str) -> dict[str, str]:
    """Fields of a storage connection string, keys in lower case. Keys may hold `=` in their values."""
    pairs = (part.partition("=") for part in value.split(";") if "=" in part)
    return {key.strip().lower(): text.strip() for key, _, text in pairs}


def account_of(connection_string: str) -> str | None:
    """The account of a connection string, in a form fit for comparing two of them; None when it does not say."""
    fields = parse_connection_string(connection_string)
    if fields.get("usedevelopmentstorage", "").lower() == "true":
        return "devstoreaccount1@127.0.0.1:10002"
    name = fields.get("accountname")
    for service in _SERVICES:
        if endpoint := fields.get(f"{service}endpoint"):
            return account_at(endpoint, name)
    return name.lower() if name else None


def account_at(endpoint: str, account_name: str | None = None) -> str | None:
    """The account that an endpoint serves.

    An emulator has the account in the path; its port is then part of the answer, since two emulators on one
    machine both call their account devstoreaccount1.
    """
    parts = urlsplit_or_none(endpoint)
    if parts is None:
        return account_name.lower() if account_name else None
    host, port, path = parts
    if _is_emulator_host(host):
        name = path.strip("/").partition("/")[0] or account_name
        host = "127.0.0.1" if host in ("localhost", "::1") else host
        return f"{name.lower()}@{host}:{port}" if name else None
    if account_name:
        return account_name.lower()
    labels = host.split(".")
    # A custom domain names no account; only Azure's own hosts do.
    if any(service in labels[1:] for service in _SERVICES):
        return labels[0].removesuffix("-secondary")
    return None


def urlsplit_or_none(uri: str) -> tuple[str, int, str] | None:
    """Host in lower case, port and path of an address, or None for something that is none."""
    try:
        parts = urlsplit(uri)
        if not parts.hostname:
            return None
        return parts.hostname.lower(), parts.port or (443 if parts.scheme == "https" else 80), parts.path
    except ValueError:
        return None


def _is_emulator_host(host: str) -> bool:
    if "." not in host:
        return True  # localhost, or a container's name
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
