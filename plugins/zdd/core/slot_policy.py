"""What the person who releases accepts: the policies of the slot strategy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BeforeSwap(StrEnum):
    """What must be so before the swap."""

    DRAINED = "drained"
    HANDOVER = "handover"


@dataclass(frozen=True)
class SlotPolicy:
    """Policies as the DAG's parameters give them; the defaults are the safe ones."""

    before_swap: BeforeSwap = BeforeSwap.DRAINED
    # True also when a handover may come later, as the answer to a drain deadline.
    handover_on_deadline: bool = False
    accept_entity_loss: bool = False
    accept_other_triggers: bool = False
    events_reach_staging: bool = False

    @property
    def may_hand_over(self) -> bool:
        """Whether old code may be swapped out while it still has work."""
        return self.before_swap is BeforeSwap.HANDOVER or self.handover_on_deadline

    @classmethod
    def from_params(
        cls,
        *,
        before_swap: str = "drained",
        on_drain_deadline: str = "fail",
        entities: str = "refuse",
        other_triggers: str = "refuse",
        events_reach_staging: bool = False,
    ) -> SlotPolicy:
        """Policies from the words of the form."""
        return cls(
            before_swap=BeforeSwap(before_swap),
            handover_on_deadline=on_drain_deadline == "handover",
            accept_entity_loss=entities == "accept-loss",
            accept_other_triggers=other_triggers == "accept",
            events_reach_staging=events_reach_staging,
        )
