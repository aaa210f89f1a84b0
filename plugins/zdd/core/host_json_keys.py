"""host.json by what its keys mean: one answer for each of the three generations, app settings laid over the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from zdd.core.app_settings import AppSettings
from zdd.core.hub_name import shown
from zdd.core.json_text import load_object
from zdd.exceptions import BadInput

# The host itself sets no limit; a host.json beyond this is no configuration.
SIZE_LIMIT = 1024 * 1024

_SECTION = "extensions:durabletask"
_PROVIDER = "extensions:durabletask:storageprovider"
_BEFORE_2 = {
    "hub name": ("hubname",),
    "connection": ("azurestorageconnectionstringname",),
    "tracking connection": ("trackingstoreconnectionstringname", "trackingstoreconnectionname"),
    "tracking prefix": ("trackingstorenameprefix",),
    "control queue visibility timeout": ("controlqueuevisibilitytimeout",),
}
# Meaning to the keys that give it, the current name first: `connectionStringName` is obsolete but works.
_KEYS = {
    "hub name": ("hubname",),
    "default version": ("defaultversion",),
    "version match strategy": ("versionmatchstrategy",),
    "version failure strategy": ("versionfailurestrategy",),
    "provider type": ("storageprovider:type",),
    "connection": ("storageprovider:connectionname", "storageprovider:connectionstringname"),
    "tracking connection": (
        "storageprovider:trackingstoreconnectionname",
        "storageprovider:trackingstoreconnectionstringname",
    ),
    "tracking prefix": ("storageprovider:trackingstorenameprefix",),
    "control queue visibility timeout": ("storageprovider:controlqueuevisibilitytimeout",),
}


class Generation(StrEnum):
    """Which edition of the extension reads the file; each has its own keys."""

    FUNCTIONS_1 = "Functions 1.x"
    FUNCTIONS_2_DURABLE_1 = "Durable 1.x"
    FUNCTIONS_2_DURABLE_2 = "Durable 2.x or later"


@dataclass(frozen=True)
class Value:
    """A configured value and where it stands. `in_file` tells whether it may be shown: settings may hold secrets."""

    text: str
    source: str
    in_file: bool


@dataclass(frozen=True)
class HostJson:
    """host.json with the overriding settings applied, asked for by meaning."""

    generation: Generation
    values: Mapping[str, Value]
    warnings: tuple[str, ...] = ()

    def value(self, meaning: str) -> Value | None:
        """The value for a meaning, or None when nothing gives it."""
        return self.values.get(meaning)

    def text(self, meaning: str) -> str | None:
        """Like `value`, the text alone; None also when it is empty."""
        value = self.values.get(meaning)
        return value.text if value and value.text else None


def read_host_json(data: bytes | str, settings: AppSettings) -> HostJson:
    """Read a host.json under these settings. Raises BadInput for one that the host would refuse or misread."""
    if len(data) > SIZE_LIMIT:
        raise BadInput(
            "host.json is too large",
            expected=f"at most {SIZE_LIMIT} bytes",
            found=str(len(data)),
            do="check that this is the app's host.json",
        )
    warnings: list[str] = []
    flat: dict[str, Value] = {}
    document = load_object(data, what="host.json")
    _flatten(document, "", flat, 0)
    _lay_over(flat, settings)
    in_root = _child(document, "durabletask")
    generation = _generation(document, in_root, flat, settings, warnings)
    if generation is Generation.FUNCTIONS_1:
        section = "durabletask"
        _must_be_object(in_root, "durableTask")
    else:
        section = _SECTION
        extensions = _child(document, "extensions")
        _must_be_object(extensions, "extensions")
        durable = _child(extensions, "durabletask") if isinstance(extensions, dict) else None
        _must_be_object(durable, "extensions.durableTask")
        if isinstance(durable, dict):
            _must_be_object(_child(durable, "storageprovider"), "extensions.durableTask.storageProvider")
    keys = _KEYS if generation is Generation.FUNCTIONS_2_DURABLE_2 else _BEFORE_2
    values: dict[str, Value] = {}
    for meaning, names in keys.items():
        for name in names:
            _must_be_plain(flat, f"{section}:{name}")
        found = [flat[f"{section}:{name}"] for name in names if f"{section}:{name}" in flat]
        if len({value.text for value in found}) > 1:
            raise BadInput(
                f"host.json gives the {meaning} twice with different values",
                expected=f"one of the keys {' and '.join(names)}",
                found=" and ".join(f"{name} in {flat[f'{section}:{name}'].source}" for name in names),
                do="remove the older key",
            )
        if found:
            values[meaning] = found[0]
    return HostJson(generation, values, tuple(warnings))


def _generation(
    document: Mapping[str, object],
    in_root: object,
    flat: Mapping[str, Value],
    settings: AppSettings,
    warnings: list[str],
) -> Generation:
    version = _child(document, "version")
    runtime = settings.get("FUNCTIONS_EXTENSION_VERSION") or ""
    if version is None and (in_root is not None or runtime.strip() in ("~1", "1") or runtime.startswith("1.")):
        return Generation.FUNCTIONS_1
    if isinstance(version, int | float) and not isinstance(version, bool) and version == 2:
        warnings.append('"version" in host.json is a number; it must be the string "2.0", or the host does not start')
    elif version is None and not document:
        warnings.append("host.json is empty: the host takes its defaults")
    elif version != "2.0":
        found = "no version" if version is None else shown(str(version))
        raise BadInput(
            "host.json has the wrong version",
            expected='"version": "2.0" (or, for Functions 1.x, no version and "durableTask" at the root)',
            found=found,
            do="correct host.json; the Functions host would not start with it",
        )
    if in_root is not None:
        warnings.append(
            "durableTask at the root of host.json is ignored: from version 2.0 on it belongs below extensions"
        )
    bundle = flat.get("extensionbundle:version")
    old_key = f"{_SECTION}:azurestorageconnectionstringname" in flat
    has_provider = any(key.startswith(_PROVIDER) for key in flat)
    if bundle and bundle.text.replace(" ", "").startswith(("[1.", "1.")):
        if has_provider:
            warnings.append("storageProvider is ignored: extension bundle 1.x brings Durable 1.x")
        return Generation.FUNCTIONS_2_DURABLE_1
    if old_key and (has_provider or bundle):
        warnings.append("azureStorageConnectionStringName is ignored: Durable 2.x reads storageProvider.connectionName")
    elif old_key:
        return Generation.FUNCTIONS_2_DURABLE_1
    return Generation.FUNCTIONS_2_DURABLE_2


def _flatten(value: object, key: str, into: dict[str, Value], depth: int) -> None:
    """Keys as .NET configuration joins them: with colons, in lower case. null is as good as absent."""
    if depth > 64:
        raise BadInput("host.json is nested too deeply", expected="at most 64 levels", do="correct host.json")
    if isinstance(value, dict):
        for name, child in value.items():
            _flatten(child, f"{key}:{name.lower()}" if key else name.lower(), into, depth + 1)
        return
    if isinstance(value, list) or value is None:
        if value is not None:
            into[f"{key}:"] = Value("", "host.json", in_file=True)  # there, but no value: see _must_be_plain
        return
    text = value if isinstance(value, str) else str(value)
    if key in into and into[key].text != text:
        raise BadInput(
            "host.json has one key twice with different values",
            expected="one value for each key (case does not count)",
            found=shown(key),
            do="remove one of them",
        )
    into[key] = Value(text, "host.json", in_file=True)


def _child(value: object, name: str) -> object:
    """The member of an object by a name in lower case; None when there is none."""
    if not isinstance(value, Mapping):
        return None
    return next((child for key, child in value.items() if key.lower() == name), None)


def _must_be_object(value: object, name: str) -> None:
    if value is not None and not isinstance(value, dict):
        raise BadInput(
            f"{name} in host.json has the wrong shape",
            expected="an object",
            found=f"a {type(value).__name__}",
            do="correct host.json",
        )


def _must_be_plain(flat: Mapping[str, Value], key: str) -> None:
    if any(other.startswith(f"{key}:") for other in flat):
        raise BadInput(
            f"{key.replace(':', '.')} in host.json has the wrong shape",
            expected="a plain value",
            found="an object or a list",
            do="correct host.json",
        )


def _lay_over(flat: dict[str, Value], settings: AppSettings) -> None:
    """AzureFunctionsJobHost__a__b (or with colons) overrides a.b of the file."""
    for key in settings.below("AzureFunctionsJobHost"):
        name = f"AzureFunctionsJobHost:{key}"
        value = settings.get(name) if key.startswith(_SECTION) else None
        if value:
            flat[key] = Value(value, f"app setting {settings.name_of(name)}", in_file=False)
