"""Finds the handler of a request by its path; ARM's paths are compared without regard to case."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote

from starlette.responses import Response

from local_azure.resource_manager.call import Call

Handler = Callable[[Call], Awaitable[Response]]

SUBSCRIPTION = "/subscriptions/{subscription}"
GROUP = SUBSCRIPTION + "/resourceGroups/{group}"
WEB = GROUP + "/providers/Microsoft.Web"
SITE = WEB + "/sites/{site}"
SITE_OR_SLOT = SITE + "[/slots/{slot}]"


@dataclass(frozen=True)
class Rule:
    """A method and a path pattern: `{name}` is one segment, `{name:rest}` all that follows, `[…]` may be absent."""

    method: str
    expression: re.Pattern[str]
    handler: Handler


def _compile(pattern: str) -> re.Pattern[str]:
    expression = re.escape(pattern)
    expression = expression.replace(r"\[", "(?:").replace(r"\]", ")?")
    expression = re.sub(r"\\\{(\w+):rest\\\}", r"(?P<\1>.+)", expression)
    expression = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", expression)
    return re.compile(f"{expression}/?", re.IGNORECASE)


class Router:
    """The rules of one or more resources."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def on(self, method: str, pattern: str) -> Callable[[Handler], Handler]:
        """Decorate a handler."""

        def decorate(handler: Handler) -> Handler:
            self._rules.append(Rule(method, _compile(pattern), handler))
            return handler

        return decorate

    def include(self, other: Router) -> None:
        """Add another router's rules behind one's own."""
        self._rules += other._rules

    def find(self, method: str, path: str) -> tuple[Handler, dict[str, str]] | set[str]:
        """Return the handler and the path's parameters, or the methods that this path would have."""
        methods: set[str] = set()
        for rule in self._rules:
            found = rule.expression.fullmatch(path)
            if found is None:
                continue
            if rule.method == method:
                return rule.handler, {name: unquote(text) for name, text in found.groupdict().items() if text}
            methods.add(rule.method)
        return methods
