"""JSON as the Functions host reads it: byte order mark, // and /* */ comments and trailing commas are tolerated."""

from __future__ import annotations

import codecs
import json
import re

from zdd.exceptions import BadInput

# Each pattern ends at the end of the text when its close is missing, so that a scan stays linear.
_COMMENT = re.compile(r'"(?:[^"\\]|\\.)*"?|//[^\n\r]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMA = re.compile(r'"(?:[^"\\]|\\.)*"?|,(?=\s*[}\]])', re.DOTALL)


def decode(data: bytes | str, *, what: str) -> str:
    """Text of a file by its byte order mark, UTF-8 otherwise."""
    if isinstance(data, str):
        return data.removeprefix("\ufeff")
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            f"{what} is not text",
            expected="JSON in UTF-8",
            found=f"bytes that are not {error.encoding} at position {error.start}",
            do="save the file as UTF-8",
        ) from None


def load_object(data: bytes | str, *, what: str) -> dict[str, object]:
    """The JSON object in `data`; BadInput when it is no JSON or no object. Names the place, never the content."""
    text = decode(data, what=what)
    try:
        value = json.loads(_TRAILING_COMMA.sub(_only_strings, _COMMENT.sub(_only_strings, text)))
    except json.JSONDecodeError as error:
        found = f"{error.msg} at line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError) as error:
        found = f"{type(error).__name__}: numbers or nesting beyond any sensible size"
    else:
        if isinstance(value, dict):
            return value
        found = f"a JSON {type(value).__name__} at the top"
    raise BadInput(f"{what} cannot be read", expected="a JSON object", found=found, do=f"correct {what}")


def _only_strings(match: re.Match[str]) -> str:
    return match.group() if match.group().startswith('"') else " "
