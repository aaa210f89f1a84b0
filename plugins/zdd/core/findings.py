"""Findings of a check as data: how bad, which rule, and in words what was expected, what was found and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from zdd.exceptions import BadInput, Unknown

# The code of findings about what could not be read, as against what is wrong.
UNREAD = "unread"


class Severity(StrEnum):
    """ERROR stops a release; WARNING is for a person to weigh; INFO explains."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Finding:
    """One rule's word on one place. `code` is stable: tests, the docs and people's notes refer to it."""

    severity: Severity
    code: str
    message: str
    expected: str = ""
    found: str = ""
    do: str = ""

    def __str__(self) -> str:
        parts = (("expected", self.expected), ("found", self.found), ("do", self.do))
        told = "; ".join(f"{name}: {text}" for name, text in parts if text)
        return f"[{self.code}] {self.message}" + (f" ({told})" if told else "")

    def to_json(self) -> dict[str, str]:
        """For evidence and the UI."""
        fields = (("expected", self.expected), ("found", self.found), ("do", self.do))
        head = {"severity": self.severity.value, "code": self.code, "message": self.message}
        return head | {name: text for name, text in fields if text}


def error(code: str, message: str, *, expected: str = "", found: str = "", do: str = "") -> Finding:
    """A finding that stops the release."""
    return Finding(Severity.ERROR, code, message, expected, found, do)


def warning(code: str, message: str, *, expected: str = "", found: str = "", do: str = "") -> Finding:
    """A finding for a person to weigh."""
    return Finding(Severity.WARNING, code, message, expected, found, do)


def info(code: str, message: str, *, expected: str = "", found: str = "", do: str = "") -> Finding:
    """A finding that explains."""
    return Finding(Severity.INFO, code, message, expected, found, do)


def raise_for_errors(findings: Iterable[Finding], what: str) -> None:
    """Raise BadInput with every error among the findings, so that a person can correct all of them at once.

    Raises Unknown instead when all of them say that something could not be read: a retry may help then.
    """
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        if all(finding.code == UNREAD for finding in errors):
            raise Unknown(f"{what}: " + "; ".join(str(finding) for finding in errors))
        listed = "\n".join(f"- {finding}" for finding in errors)
        raise BadInput(f"{what}: {len(errors)} thing(s) to correct before anything is changed\n{listed}")
