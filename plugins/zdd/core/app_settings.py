"""App settings as the configuration of a function app sees them: without case, `__` as `:`, connection strings too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zdd.exceptions import BadInput

# App Service gives connection strings to the process under these prefixes (by type); .NET reads all of them.
_CONNECTION_STRING_PREFIXES = (
    "customconnstr_",
    "sqlconnstr_",
    "sqlazureconnstr_",
    "mysqlconnstr_",
    "postgresqlconnstr_",
)


def merge_settings(app_settings: Mapping[str, str], connection_strings: Mapping[str, str]) -> dict[str, str]:
    """App settings and connection strings of a slot as one mapping; of one name the connection string wins."""
    taken = {name.lower() for name in connection_strings}
    return {name: value for name, value in app_settings.items() if name.lower() not in taken} | dict(connection_strings)


def configuration_key(name: str) -> str:
    """The one spelling under which a setting is compared: `A__b` and `a:B` are the same key."""
    return name.replace("__", ":").lower()


class AppSettings:
    """A read-only view of settings by configuration key. Its repr shows no value."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._values: dict[str, str] = {}
        self._names: dict[str, list[str]] = {}
        for name, value in settings.items():
            key = configuration_key(name)
            for prefix in _CONNECTION_STRING_PREFIXES:
                if key.startswith(prefix):
                    key = "connectionstrings:" + key.removeprefix(prefix)
            known = self._names.setdefault(key, [])
            if known and self._values[key] != value:
                known.append(name)  # two spellings, two values: an error only if somebody asks for it
                continue
            known[:] = [name]
            self._values[key] = value

    def __repr__(self) -> str:
        return f"AppSettings({len(self._values)} settings)"

    def get(self, name: str) -> str | None:
        """The value of a setting, or None. Raises BadInput when two spellings of its name hold different values."""
        key = configuration_key(name)
        names = self._names.get(key)
        if names is None:
            return None
        if len(names) > 1:
            raise BadInput(
                "One setting is given twice with different values",
                expected=f"one spelling of {names[0]}",
                found=" and ".join(names),
                do="remove one of them: names of settings are compared without case, and `__` is the same as `:`",
            )
        return self._values[key]

    def name_of(self, name: str) -> str | None:
        """The spelling under which a setting is stored, for messages; None when it does not exist."""
        names = self._names.get(configuration_key(name))
        return names[0] if names else None

    def names_at(self, name: str) -> tuple[str, ...]:
        """Stored spellings of a setting and of everything below it (`X` and `X__accountName`)."""
        key = configuration_key(name)
        return tuple(
            spelling
            for stored, spellings in self._names.items()
            if stored == key or stored.startswith(f"{key}:")
            for spelling in spellings
        )

    def below(self, prefix: str) -> Iterator[str]:
        """Keys (configuration spelling, without the prefix) of the settings below a section."""
        start = configuration_key(prefix) + ":"
        return (key.removeprefix(start) for key in self._values if key.startswith(start))


def is_unresolved_reference(value: str) -> bool:
    """True for a Key Vault or App Configuration reference: the platform knows its value, the settings API does not."""
    return value.lstrip().lower().startswith(("@microsoft.keyvault(", "@microsoft.appconfiguration("))
