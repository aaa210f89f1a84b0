"""Check the slots of an app against the rules of the slot strategy, before anything is changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zdd.core.app_settings import merge_settings
from zdd.core.drain import DrainState
from zdd.core.findings import Severity
from zdd.core.gate import Watch
from zdd.core.package import inspect_package
from zdd.core.slots import SlotPlan, SlotPolicy, check_slots
from zdd.exceptions import BadInput, Unknown
from zdd.hooks.packages import open_package
from zdd.hooks.slot_drain import STATUS_SOURCES, TABLES, Observed, SlotDrain
from zdd.hooks.slot_reader import SlotName
from zdd.operators.base import ReleaseOperator, as_bool, as_choice

if TYPE_CHECKING:
    from airflow.sdk import Context


class CheckSlotsOperator(ReleaseOperator):
    """Judges both slots and the package, says what the release will do, and changes nothing.

    It also looks at both hubs once, so that missing rights, a wrong key or an unreadable hub end the release here and
    not after an hour of waiting.
    """

    template_fields: Sequence[str] = (
        *ReleaseOperator.template_fields,
        "package",
        "before_swap",
        "on_drain_deadline",
        "entities",
        "other_triggers",
        "events_reach_staging",
        "status_source",
    )

    def __init__(
        self,
        *,
        package: str,
        before_swap: str = "drained",
        on_drain_deadline: str = "fail",
        entities: str = "refuse",
        other_triggers: str = "refuse",
        events_reach_staging: bool | str = False,
        status_source: str = TABLES,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.package = package
        self.before_swap = before_swap
        self.on_drain_deadline = on_drain_deadline
        self.entities = entities
        self.other_triggers = other_triggers
        self.events_reach_staging = events_reach_staging
        self.status_source = status_source

    @property
    def policy(self) -> SlotPolicy:
        """The policies of the form, checked."""
        as_choice("before_swap", self.before_swap, ("drained", "handover"))
        as_choice("on_drain_deadline", self.on_drain_deadline, ("fail", "handover", "terminate"))
        as_choice("entities", self.entities, ("refuse", "accept-loss"))
        as_choice("other_triggers", self.other_triggers, ("refuse", "accept"))
        as_choice("status_source", self.status_source, STATUS_SOURCES)
        return SlotPolicy.from_params(
            before_swap=self.before_swap,
            on_drain_deadline=self.on_drain_deadline,
            entities=self.entities,
            other_triggers=self.other_triggers,
            events_reach_staging=as_bool("events_reach_staging", self.events_reach_staging),
        )

    def act(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Judge the slots; every error is named at once."""
        policy = self.policy
        plan = self.plan(policy)
        for finding in plan.of(Severity.WARNING):
            self.log.warning("%s", finding)
        for finding in plan.of(Severity.INFO):
            self.log.info("%s", finding)
        plan.raise_for_errors()
        looks = {name: self._look(slot) for name, slot in (("staging", self.staging), ("production", self.production))}
        for name, seen in looks.items():
            if seen.state is DrainState.UNKNOWN:
                raise Unknown(
                    f"The task hub of {name} cannot be read, so nothing could ever prove that it has drained",
                    expected="access to the hub's tables and queues",
                    found=seen.reason,
                    do="correct the storage setting, its key or the rights; or choose another status_source",
                )
        for number, step in enumerate(plan.steps, start=1):
            self.log.info("Step %d: %s", number, step.text)
        self.log.info(
            "The slots of %s are fit for this release. Staging: %s. Production: %s",
            self.app_name,
            looks["staging"].reason,
            looks["production"].reason,
        )
        hubs = {name: {"state": seen.state.value, "reason": seen.reason} for name, seen in looks.items()}
        return {**plan.to_json(), "hubs": hubs}

    def plan(self, policy: SlotPolicy) -> SlotPlan:
        """What the rules say of the slots as they are now."""
        production, staging = self.apps.slot_view(self.production), self.apps.slot_view(self.staging)
        if production is None:
            raise BadInput(
                f"There is no function app {self.app_name}",
                expected=f"an app in resource group {self.resource_group}",
                found="none",
                do="correct resource_group and app_name",
            )
        found = merge_settings(staging.app_settings, staging.connection_strings) if staging else {}
        with open_package(self.package, storage_conn_id=self.storage_conn_id) as path:
            report = inspect_package(path, settings=found)
        return check_slots(
            production,
            staging,
            self.apps.sticky_names(self.production),
            site_name=self.app_name,
            sku=self.apps.sku(self.production),
            package=report,
            policy=policy,
            staging_name=self.slot_name,
        )

    def _look(self, name: SlotName) -> Observed:
        async def look() -> Observed:
            async with SlotDrain(self.azure, name, status_source=self.status_source) as drain:
                return await drain.prove(Watch())

        return asyncio.run(look())
