"""Names of task hubs: which are valid, which one is the default, and how a value may be shown in a message."""

from __future__ import annotations

import re

from zdd.exceptions import BadInput

# The extension's message promises 3 to 45 characters, its check allows 50 (Options/AzureStorageOptions.cs).
_VALID = re.compile(r"[A-Za-z][A-Za-z0-9]{2,49}\Z")
PROMISED_LENGTH = 45
RULE = "3 to 45 letters and digits, the first one a letter"

# Fixed defaults by generation; Durable 2.x takes WEBSITE_SITE_NAME instead, and this one where that is missing.
DURABLE_1_DEFAULT = "DurableFunctionsHub"
DURABLE_2_LOCAL_DEFAULT = "TestHubName"


def default_hub_name(site_name: str) -> str:
    """The hub that Durable 2.x uses when host.json names none: WEBSITE_SITE_NAME, cleaned as the extension does."""
    if not site_name:
        return DURABLE_2_LOCAL_DEFAULT
    cleaned = "".join(c for c in site_name if c.isascii() and c.isalnum())
    if not cleaned:
        return "DefaultTaskHub"
    if cleaned[0].isdigit():
        cleaned = "t" + cleaned
    cleaned = cleaned[:PROMISED_LENGTH]
    return cleaned + "Hub" if len(cleaned) < 3 else cleaned


def check_hub_name(name: str, *, source: str, may_show: bool) -> str | None:
    """Raise BadInput for a name that the runtime refuses; return a warning for one that it takes against its own rule.

    :param may_show: False when the name came out of an app setting, which may be a secret that got there by mistake.
    """
    if not _VALID.match(name):
        if "%" in name and may_show:
            do = "%Setting% is resolved only when it is the whole value: make the whole name a setting"
        else:
            do = "choose another name; it names tables and queues"
        found = shown(name) if may_show else f"a value of {len(name)} characters in {source}"
        raise BadInput(f"The task hub name from {source} is not valid", expected=RULE, found=found, do=do)
    if len(name) > PROMISED_LENGTH:
        return f"the task hub name from {source} has {len(name)} characters; the documented limit is {PROMISED_LENGTH}"
    return None


def shown(value: str, limit: int = 60) -> str:
    """A value from host.json for a message: escaped, cut, and hidden where it looks like a connection string or key."""
    if looks_secret(value):
        return f"a text of {len(value)} characters that looks like a connection string (not shown)"
    return ascii(value if len(value) <= limit else value[:limit] + "…")


def looks_secret(value: str) -> bool:
    """True when a value that should be a name has the marks of a connection string, SAS or key."""
    return "=" in value or ";" in value or len(value) > 200
