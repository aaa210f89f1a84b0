"""What the task hub refuses, as errors that the management API turns into status codes."""

from __future__ import annotations


class EngineError(Exception):
    """Base of everything that the engine refuses; the message says what was expected and what was found."""


class InstanceNotFound(EngineError):
    """No instance has this id (HTTP 404)."""


class InstanceNotRunning(EngineError):
    """The instance has ended, so it takes no messages any more (HTTP 410)."""


class InstanceAlreadyExists(EngineError):
    """An instance of this id is alive (HTTP 409)."""


class BadInstanceId(EngineError):
    """The id has characters that storage keys or URLs cannot carry (HTTP 400)."""


class NotTerminal(EngineError):
    """The instance must have ended first, as for a purge (HTTP 412)."""


class NotRewindable(EngineError):
    """Only a failed instance can be rewound (HTTP 412 for other terminal ones, 400 for live ones)."""


class BadHubName(EngineError):
    """The task hub's name breaks the rules for names of tables, queues and containers."""


class HistoryUnreadable(EngineError):
    """The history holds two events where the management API allows one (HTTP 500), as after some divergences."""


class BadContinuationToken(EngineError):
    """The continuation token is not one of ours."""


class LostOwnership(EngineError):
    """Somebody else wrote this instance's history meanwhile; the turn is void and its messages go back."""
