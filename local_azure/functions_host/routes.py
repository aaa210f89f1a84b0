"""Route templates of HTTP functions: `orders/{id:int?}`, `{*rest}`, matched as the Functions host does."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

_CONSTRAINTS: dict[str, Callable[[str], bool]] = {
    "int": lambda text: re.fullmatch(r"[+-]?\d+", text) is not None,
    "long": lambda text: re.fullmatch(r"[+-]?\d+", text) is not None,
    "bool": lambda text: text.lower() in ("true", "false"),
    "alpha": lambda text: text.isascii() and text.isalpha(),
    "guid": lambda text: re.fullmatch(r"\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?", text) is not None,
    "decimal": lambda text: re.fullmatch(r"[+-]?\d+(\.\d+)?", text) is not None,
    "double": lambda text: re.fullmatch(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", text) is not None,
}


@dataclass(frozen=True)
class _Segment:
    literal: str | None = None
    name: str = ""
    constraints: tuple[str, ...] = ()
    optional: bool = False
    default: str | None = None
    catch_all: bool = False

    @property
    def order(self) -> int:
        """Literals win over constrained parameters, those over free ones, a catch-all comes last."""
        if self.literal is not None:
            return 0
        return 3 if self.catch_all else 1 if self.constraints else 2

    def accepts(self, text: str) -> bool:
        """Whether a parameter's value meets its constraints; unknown constraints are let through."""
        return all(_CONSTRAINTS[name](text) for name in self.constraints if name in _CONSTRAINTS)


class Route:
    """One parsed template."""

    def __init__(self, template: str) -> None:
        self.template = template.strip("/")
        self._segments = [_segment(part) for part in self.template.split("/")] if self.template else []

    @property
    def precedence(self) -> tuple[int, ...]:
        """Sort key: the more specific template first."""
        return tuple(segment.order for segment in self._segments)

    def match(self, path: str) -> dict[str, str] | None:
        """The route parameters of a raw (still escaped) path, or None. Literals match in any case."""
        parts = [part for part in path.strip("/").split("/") if part != ""]
        found: dict[str, str] = {}
        for index, segment in enumerate(self._segments):
            if segment.catch_all:
                rest = unquote("/".join(parts[index:]))
                return {**found, segment.name: rest} if rest else found
            if index >= len(parts):
                if segment.default is not None:
                    found[segment.name] = segment.default
                elif not segment.optional:
                    return None
                continue
            text = unquote(parts[index])
            if segment.literal is not None:
                if segment.literal.lower() != text.lower():
                    return None
            elif segment.accepts(text):
                found[segment.name] = text
            else:
                return None
        return found if len(parts) <= len(self._segments) else None


def _segment(part: str) -> _Segment:
    if not (part.startswith("{") and part.endswith("}")):
        return _Segment(literal=part)
    inner = part[1:-1]
    catch_all = inner.startswith("*")
    inner = inner.lstrip("*")
    inner, _, default = inner.partition("=")
    optional = inner.endswith("?")
    name, *constraints = inner.removesuffix("?").split(":")
    return _Segment(
        name=name,
        constraints=tuple(constraint.removesuffix("?") for constraint in constraints),
        optional=optional,
        default=default or None,
        catch_all=catch_all,
    )
