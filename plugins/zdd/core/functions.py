"""Functions of a package by trigger kind, as data: what there is, and what could not be told."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TriggerKind(StrEnum):
    """What starts a function, as far as a release has to tell it apart."""

    ORCHESTRATION = "orchestration"
    ACTIVITY = "activity"
    ENTITY = "entity"
    HTTP = "http"
    WARMUP = "warmup"
    OTHER = "other"
    UNKNOWN = "unknown"

    @property
    def is_durable(self) -> bool:
        """True for the kinds that a task hub starts."""
        return self in (TriggerKind.ORCHESTRATION, TriggerKind.ACTIVITY, TriggerKind.ENTITY)

    @property
    def runs_by_itself_in_staging(self) -> bool:
        """True for triggers that take production's work (queues, timers, …) as soon as a host runs them."""
        return self in (TriggerKind.OTHER, TriggerKind.UNKNOWN)


_KINDS = {
    "orchestrationtrigger": TriggerKind.ORCHESTRATION,
    "activitytrigger": TriggerKind.ACTIVITY,
    "entitytrigger": TriggerKind.ENTITY,
    "httptrigger": TriggerKind.HTTP,
    "warmuptrigger": TriggerKind.WARMUP,
}


def trigger_kind(binding_type: str) -> TriggerKind:
    """The kind of a binding type such as `queueTrigger`; types never heard of are OTHER."""
    return _KINDS.get(binding_type.lower(), TriggerKind.OTHER)


@dataclass(frozen=True, order=True)
class PackageFunction:
    """One function. `durable_name` is the name that the task hub knows it by (equal to `name` for most)."""

    name: str
    trigger: str
    source: str
    durable_name: str = ""
    disabled: bool = False
    # False when the code computes its name: `name` is then the nearest thing in the source, for messages only.
    name_known: bool = True

    def __post_init__(self) -> None:
        if not self.durable_name:
            object.__setattr__(self, "durable_name", self.name)

    @property
    def kind(self) -> TriggerKind:
        """Its trigger kind."""
        return trigger_kind(self.trigger) if self.trigger else TriggerKind.UNKNOWN


@dataclass(frozen=True)
class Found:
    """Functions found by one reader. `unknown` holds a sentence for each thing that could not be told."""

    functions: tuple[PackageFunction, ...] = ()
    unknown: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
