"""The two layers of JSON in payloads: the SDK hands over JSON text, and the extension stores that text as a string.

So an input of `{"n": 3}` stands in rows and messages as `"{\"n\": 3}"`. Payloads that come in over HTTP have one layer
only. The SDK wants the inner text in both cases.
"""

from __future__ import annotations

import json


def quoted(text: str | None) -> str | None:
    """What the extension stores of the SDK's JSON text."""
    return None if text is None else json.dumps(text)


def unquoted(stored: str | None) -> str | None:
    """The JSON text that the SDK's decoder wants, whichever number of layers was stored."""
    if stored is None:
        return None
    try:
        value = json.loads(stored)
    except ValueError:
        return json.dumps(stored)
    if not isinstance(value, str):
        return None if value is None else stored
    try:
        json.loads(value)
    except ValueError:
        return stored  # a plain string that came over HTTP: its JSON text is what was stored
    return value
