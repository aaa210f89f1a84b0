"""The errors of zdd: few classes, each message says what was expected, what was found and what to do next."""

from __future__ import annotations


class ZddError(Exception):
    """Base of every error that zdd raises on purpose. Its text is for a person on call and never holds a secret."""

    def __init__(
        self, message: str, *, expected: str | None = None, found: str | None = None, do: str | None = None
    ) -> None:
        parts = (("expected", expected), ("found", found), ("do", do))
        told = "; ".join(f"{name}: {text}" for name, text in parts if text)
        # One argument only, so that the error survives pickling between Airflow's processes.
        super().__init__(f"{message} ({told})" if told else message)


class BadInput(ZddError):
    """A person must change a setting, a parameter or the package. A retry cannot help."""


class Unknown(ZddError):
    """Something could not be read, so nothing may be concluded from it. A retry may help."""


class Conflict(ZddError):
    """Somebody else is at work: a lock is held, a deployment or another swap runs."""


class DeadlinePassed(ZddError):
    """The time that was given has run out. The message names who blocks and for how long."""


class ReleaseFailed(ZddError):
    """A step of the release was done and did not lead to the state that it had to lead to."""
