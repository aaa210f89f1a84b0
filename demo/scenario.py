"""What happens in the demo, in its order: traffic, a release in the middle of it, and the count at the end."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping

from demo.airflow_api import AirflowApi
from demo.audit import IN_FLIGHT, Audit, audit
from demo.cloud import HUB_OF, STAGING
from demo.console import Timeline
from demo.release import Outcome, Watch, follow, through_the_dag, without_gates
from demo.stack import DAG, Stack
from demo.summary import LEAST_INSTANCES, Result, late_orders, show, show_so_far
from demo.traffic import Front, Traffic

NEXT = ("v2_0_0", "2.0.0")
# What a person may release after that: back to the code before, which is a release like any other.
AGAIN = ("v1_1_0", "1.1.0")
WITH_ENTITY = ("v2_1_0_entity", "2.1.0")
# Waves and gaps: orders live for about ten seconds, so the last of a wave is over well before the next one comes.
WAVE_SIZE, WAVE_SECONDS, PERIOD_SECONDS, GAP_SECONDS = 12, 4.0, 40.0, 24.0
STAGING_SIZE, LATE_SIZE, LAST_WAVE_SIZE = 12, 8, 10
# So long the orders in staging are kept waiting for their approval after the release has begun to wait for them.
STAGING_HOLD_SECONDS = 8.0
STRAGGLER_TIMEOUT_SECONDS = 120.0


class Scenario:
    """One demo on a running stack."""

    def __init__(self, stack: Stack, timeline: Timeline) -> None:
        self._stack, self._timeline = stack, timeline
        self._say = timeline.say
        # Fixed, so that each run has the same customers.
        self._rng = random.Random(20)
        self._hubs = sorted(HUB_OF.values())
        self._held = asyncio.Event()

    # --- with no person --------------------------------------------------------------------------------------------

    async def once(self, *, unsafe: bool) -> Result:
        """Release once, and count."""
        async with Traffic(self._rng) as traffic:
            production = await self._begin(traffic)
            if unsafe:
                await self._until_in_the_middle_of_a_wave(traffic)
                running = await self._count_in_staging()
                busy = traffic.in_flight("wave 2")
                self._say(f"{running} instances of 1.0.0 run in staging, {busy} in production; nobody looks", "bold")
                outcome = await without_gates(self._stack, *NEXT, self._watch(traffic, production))
                return await self._end(traffic, production, outcome, running, {})
            airflow = self._stack.airflow
            async with AirflowApi(airflow.url, airflow.credentials) as api:
                outcome, running = await self._release(traffic, production, api)
                return await self._end(traffic, production, outcome, running, self._links(outcome))

    async def _release(self, traffic: Traffic, production: Front, api: AirflowApi) -> tuple[Outcome, int]:
        """Release through the DAG; returns what came of it, and how many instances ran in staging when it began."""
        await api.wait_for_dag(DAG)
        await self._until_running_in_staging(traffic)
        await self._show_refusal(api)
        running = await self._count_in_staging()
        self._say(f"{running} instances of 1.0.0 run in staging, the release of {NEXT[1]} begins", "bold")
        conf = self._stack.release(*NEXT)
        outcome = await through_the_dag(self._stack, api, conf, self._watch(traffic, production))
        self._say_end(f"release of {NEXT[1]}", outcome)
        return outcome, running

    def _say_end(self, what: str, outcome: Outcome) -> None:
        good = outcome.succeeded
        self._say(f"{what} {'succeeded' if good else 'FAILED'}", "bold" if good else "bold red")

    def _links(self, outcome: Outcome) -> dict[str, str]:
        return {"the release in Airflow": outcome.link or "", "logs": str(self._stack.home)}

    async def _begin(self, traffic: Traffic) -> Front:
        production, staging = await asyncio.gather(
            asyncio.to_thread(self._stack.cloud.front, None), asyncio.to_thread(self._stack.cloud.front, STAGING)
        )
        for _ in range(STAGING_SIZE):
            traffic.place(staging, "staging", hold=self._held, think_seconds=(0, 6))
        self._waves = traffic.start_waves(
            production,
            size=WAVE_SIZE,
            over_seconds=WAVE_SECONDS,
            period_seconds=PERIOD_SECONDS,
            gap_seconds=GAP_SECONDS,
        )
        self._polls = traffic.start_steady_polls()
        self._say(f"traffic: {WAVE_SIZE} orders every {PERIOD_SECONDS:.0f} s, steady polls, {STAGING_SIZE} in staging")
        return production

    async def _until_running_in_staging(self, traffic: Traffic) -> None:
        for _ in range(60):
            if await self._count_in_staging() >= STAGING_SIZE:
                return
            traffic.check()
            await asyncio.sleep(0.5)

    async def _until_in_the_middle_of_a_wave(self, traffic: Traffic) -> None:
        while traffic.in_flight("wave 2") < WAVE_SIZE - 2:
            traffic.check()
            await asyncio.sleep(0.5)

    async def _count_in_staging(self) -> int:
        found = await self._audit([HUB_OF[STAGING]], [])
        return sum(1 for one in found.orders if one.status in IN_FLIGHT)

    def _watch(self, traffic: Traffic, production: Front) -> Watch:
        """Let the customers of staging get their approvals, and place a burst of late orders, each at its moment."""

        def staging_is_waited_for() -> None:
            asyncio.get_running_loop().call_later(STAGING_HOLD_SECONDS, self._held.set)

        def swap_is_meant() -> None:
            self._say(f"  the last verdict is made; {LATE_SIZE} customers order before the switch")
            for _ in range(LATE_SIZE):
                traffic.place(production, "late")

        return Watch(self._say, staging_is_waited_for, swap_is_meant)

    async def _show_refusal(self, api: AirflowApi) -> None:
        """Let the DAG refuse the edition that has an entity, before anything is changed."""
        self._say(f"first the edition with an entity ({WITH_ENTITY[1]}), which a release by slots must refuse")
        quiet = Watch(lambda _line: None)
        outcome = await through_the_dag(self._stack, api, self._stack.release(*WITH_ENTITY), quiet)
        if outcome.succeeded:
            raise RuntimeError("expected the edition with an entity to be refused, found it released")
        refused = next(step for step in outcome.steps if step.state == "failed")
        self._say(f"  refused by {refused.name}: {refused.said}", "yellow")

    # --- with a person ---------------------------------------------------------------------------------------------

    async def until_stopped(self) -> None:
        """Release once; then keep the traffic going and tell of each release that a person starts, until cancelled."""
        airflow = self._stack.airflow
        self._tell_how_to_sign_in()
        async with Traffic(self._rng) as traffic, AirflowApi(airflow.url, airflow.credentials) as api:
            production = await self._begin(traffic)
            outcome, _ = await self._release(traffic, production, api)
            await self._show_so_far(traffic, outcome)
            self._tell_how_to_release()
            while True:
                traffic.check()
                for run_id in await api.active_runs(DAG):
                    self._say(f"release {run_id} begins", "bold")
                    outcome = await follow(self._stack, api, run_id, self._watch(traffic, production))
                    self._say_end(f"release {run_id}", outcome)
                    await self._show_so_far(traffic, outcome)
                await asyncio.sleep(2)

    async def _show_so_far(self, traffic: Traffic, outcome: Outcome) -> None:
        found = await self._audit(self._hubs, [])
        show_so_far(traffic, found, outcome, self._timeline.console, self._links(outcome))

    def _tell_how_to_sign_in(self) -> None:
        airflow, console = self._stack.airflow, self._timeline.console
        console.print(f"Watch at {airflow.url}/dags/{DAG}, signed in as {airflow.credentials.username} / ", end="")
        console.print(airflow.credentials.password, style="bold")

    def _tell_how_to_release(self) -> None:
        console = self._timeline.console
        console.print()
        self._tell_how_to_sign_in()
        console.print("Release once more: press Trigger and fill in the form, or take this as its JSON:")
        console.print(json.dumps(self._stack.release(*AGAIN), indent=2))
        refused = self._stack.upload(WITH_ENTITY[0])
        console.print(f"A package that is refused, for its entity: {refused} (version {WITH_ENTITY[1]})")
        console.print(f"Orders app: {self._stack.cloud.address(None)}, staging {self._stack.cloud.address(STAGING)}")
        console.print("Ctrl-C ends everything.")
        console.print()

    # --- the end ---------------------------------------------------------------------------------------------------

    async def _end(
        self, traffic: Traffic, production: Front, outcome: Outcome, running: int, links: Mapping[str, str]
    ) -> Result:
        self._waves.cancel()
        # A quick release may come before the second wave.
        size = max(LAST_WAVE_SIZE, LEAST_INSTANCES + 4 - len(traffic.placed))
        await traffic.wave(production, "last wave", size, 2.0)
        self._say("waiting for the last orders, stragglers in staging included")
        if not await traffic.until_all_are_over(STRAGGLER_TIMEOUT_SECONDS):
            self._say("some orders have not ended in time", "red")
        self._polls.cancel()
        traffic.check()
        found = await self._audit(self._hubs, [placed.instance_id for placed in traffic.placed])
        result = Result(traffic.ledger, found, outcome, running, late_orders(traffic.placed, found, outcome))
        show(result, self._timeline.console, dict(links))
        return result

    async def _audit(self, hubs: list[str], given_out: list[str]) -> Audit:
        return await asyncio.to_thread(audit, self._stack.storage, hubs, given_out)
