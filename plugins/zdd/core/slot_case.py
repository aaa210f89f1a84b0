"""The case that the slot rules judge: both slots, the package, the policy, and the bindings that follow from them."""

from __future__ import annotations

from dataclasses import dataclass

from zdd.core.package import PackageReport
from zdd.core.slot_policy import SlotPolicy
from zdd.core.slot_view import AfterSwap, CodeBinding, SlotView, StickyNames


@dataclass(frozen=True)
class Case:
    """Everything that a rule may look at."""

    production: SlotView
    staging: SlotView
    sticky: StickyNames
    site_name: str
    package: PackageReport | None
    policy: SlotPolicy
    production_now: CodeBinding
    staging_now: CodeBinding
    package_in_staging: CodeBinding
    after_swap: AfterSwap

    @property
    def both(self) -> tuple[SlotView, SlotView]:
        """Production and staging."""
        return self.production, self.staging
