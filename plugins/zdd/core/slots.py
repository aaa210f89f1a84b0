"""The rules of a release by slot: what must be so before anything is changed, and the plan that follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from zdd.core import slot_function_rules, slot_host_rules, slot_hub_rules
from zdd.core.findings import Finding, Severity, raise_for_errors
from zdd.core.package import PackageReport
from zdd.core.slot_case import Case
from zdd.core.slot_plans import missing_slots
from zdd.core.slot_policy import BeforeSwap, SlotPolicy
from zdd.core.slot_view import (
    AfterSwap,
    CodeBinding,
    SlotView,
    StickyNames,
    bind_slot,
    predict_after_swap,
    same_hub,
)

__all__ = [
    "AfterSwap",
    "BeforeSwap",
    "CodeBinding",
    "Finding",
    "SlotPlan",
    "SlotPolicy",
    "SlotView",
    "Step",
    "StickyNames",
    "check_slots",
    "predict_after_swap",
    "same_hub",
]

_RULES = (*slot_host_rules.RULES, *slot_hub_rules.RULES, *slot_function_rules.RULES)


@dataclass(frozen=True)
class Step:
    """One thing that the release will do, and why."""

    code: str
    text: str


@dataclass(frozen=True)
class SlotPlan:
    """Findings, and the steps that follow when none of them is an error."""

    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    # Hubs of the code that runs now, and of the package in staging and then in production.
    production: CodeBinding
    staging: CodeBinding
    package_in_staging: CodeBinding
    after_swap: AfterSwap | None = None
    hubs_are_separate: bool = False
    reset_preview_of: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        """True when nothing stops the release."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    def of(self, severity: Severity) -> tuple[Finding, ...]:
        """Findings of one severity."""
        return tuple(finding for finding in self.findings if finding.severity is severity)

    def raise_for_errors(self) -> None:
        """Raise BadInput that lists every error."""
        raise_for_errors(self.findings, "The slots are not fit for this release")

    def to_json(self) -> dict[str, object]:
        """For evidence. Holds no setting's value."""
        after = self.after_swap
        return {
            "ok": self.ok,
            "findings": [finding.to_json() for finding in self.findings],
            "steps": [step.text for step in self.steps],
            "production": self.production.hub,
            "staging": self.staging.hub,
            "package_in_staging": self.package_in_staging.hub,
            "after_swap": {"production": after.production.hub, "staging": after.staging.hub} if after else {},
            "hubs_are_separate": self.hubs_are_separate,
        }


def check_slots(
    production: SlotView | None,
    staging: SlotView | None,
    sticky: StickyNames,
    *,
    site_name: str,
    sku: str = "",
    package: PackageReport | None = None,
    policy: SlotPolicy | None = None,
    staging_name: str = "staging",
) -> SlotPlan:
    """Judge two slots (None: there is no such slot) for a release of `package` through them.

    :param sku: name or tier of the App Service plan, as far as it is known.
    """
    policy = policy or SlotPolicy()
    if production is None or staging is None:
        missing = missing_slots(production, staging, sku=sku, site_name=site_name, staging_name=staging_name)
        nothing = CodeBinding()
        return SlotPlan(tuple(missing), (), nothing, nothing, nothing)
    host_json = package.host_json if package else staging.host_json
    here = Case(
        production=production,
        staging=staging,
        sticky=sticky,
        site_name=site_name,
        package=package,
        policy=policy,
        production_now=bind_slot(production, site_name=site_name),
        staging_now=bind_slot(staging, site_name=site_name),
        package_in_staging=bind_slot(staging, site_name=site_name, host_json=host_json),
        after_swap=predict_after_swap(production, staging, sticky, site_name=site_name, package=host_json),
    )
    findings = [finding for rule in _RULES for finding in rule(here)]
    separate = slot_hub_rules.hubs_are_separate(here)
    previews = tuple(view.name for view in (production, staging) if view.preview_with)
    return SlotPlan(
        findings=tuple(sorted(findings, key=lambda finding: list(Severity).index(finding.severity))),
        steps=tuple(_steps(here, previews)),
        production=here.production_now,
        staging=here.staging_now,
        package_in_staging=here.package_in_staging,
        after_swap=here.after_swap,
        hubs_are_separate=separate,
        reset_preview_of=previews,
    )


def _steps(case: Case, previews: tuple[str, ...]) -> Iterator[Step]:
    for name in previews:
        yield Step("reset_preview", f"undo the swap with preview that was left over in {name}")
    old = case.staging_now.hub
    if case.staging.is_empty:
        yield Step("deploy", f"deploy to {case.staging.name} at once: no code is there that could have work")
    else:
        yield Step("wait_staging", f"wait until {case.staging.name} has drained ({old}): deploying overwrites its code")
        yield Step("deploy", f"deploy to {case.staging.name} ({case.package_in_staging.hub})")
    yield Step("verify_staging", f"verify that the host runs the package in {case.staging.name}")
    if case.production.is_empty:
        yield Step("swap", "swap: production holds no code yet")
    elif case.policy.before_swap is BeforeSwap.HANDOVER:
        yield Step("swap", f"swap at once: the code of production finishes in {case.staging.name} on its own hub")
    else:
        yield Step("wait_production", f"wait until production has drained ({case.production_now.hub})")
        yield Step("swap", f"swap {case.staging.name} with production")
    yield Step("verify_production", "verify that production runs the package")
