"""Releases started over REST with the form's parameters, on a real Airflow and local Azure.

The tests share one stack and run in the order in which they stand: the first ones leave the app as it was.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from azure.data.tables.aio import TableServiceClient

from demo.airflow_api import AirflowApi, AirflowApiError, TaskState
from demo.audit import audit
from demo.cloud import HUB_OF, STAGING
from demo.orders import make_order
from demo.release import RUN_ENDS, Outcome, Watch, follow, line_for_people
from demo.stack import DAG, Stack
from demo.traffic import Traffic

# Airflow needs 20 s to start on two idle cores, and each task about one.
pytestmark = pytest.mark.timeout(400)
ANSWER_AFTER_SECONDS = 4.0


@pytest.fixture
async def api(stack: Stack) -> AsyncIterator[AirflowApi]:
    async with AirflowApi(stack.airflow.url, stack.airflow.credentials) as signed_in:
        await signed_in.wait_for_dag(DAG)
        yield signed_in


async def to_the_end(stack: Stack, api: AirflowApi, run_id: str) -> Outcome:
    return await follow(stack, api, run_id, Watch(print))


async def questions(api: AirflowApi, run_id: str) -> list[TaskState]:
    return [task for task in await api.tasks(DAG, run_id) if task.state == "awaiting_input"]


async def until_deferred(api: AirflowApi, run_id: str, task_id: str) -> TaskState:
    while await api.run_state(DAG, run_id) not in RUN_ENDS:
        for task in await api.tasks(DAG, run_id):
            if task.task_id == task_id and task.state == "deferred":
                return task
        await asyncio.sleep(0.5)
    raise AssertionError(f"the run ended before {task_id} waited: {await api.tasks(DAG, run_id)}")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"before_swap": "whenever"}, "before_swap"),
        ({"drain_deadline_minutes": -1}, "drain_deadline_minutes"),
        ({"app_name": 7}, "app_name"),
    ],
)
async def test_a_bad_parameter_is_refused_when_the_run_is_triggered(
    stack: Stack, api: AirflowApi, changes: dict[str, object], complaint: str
) -> None:
    with pytest.raises(AirflowApiError, match=complaint) as refusal:
        await api.trigger(DAG, stack.release("v2_0_0", "2.0.0", **changes))
    assert refusal.value.status == 400


async def test_a_package_with_an_entity_is_refused_before_anything_is_changed(stack: Stack, api: AirflowApi) -> None:
    before = await asyncio.to_thread(settings_of_both_slots, stack)

    run_id = await api.trigger(DAG, stack.release("v2_1_0_entity", "2.1.0"))
    outcome = await to_the_end(stack, api, run_id)

    assert not outcome.succeeded
    assert "stock" in said_by_failed(outcome)
    assert "entit" in said_by_failed(outcome)
    assert await asyncio.to_thread(settings_of_both_slots, stack) == before


async def test_a_release_fails_at_its_deadline_naming_who_blocks_and_a_later_one_waits_and_succeeds(
    stack: Stack, api: AirflowApi
) -> None:
    held = asyncio.Event()
    staging = await asyncio.to_thread(stack.cloud.front, STAGING)
    async with Traffic(random.Random(1)) as customers:
        for _ in range(3):
            customers.place(staging, "staging", hold=held, think_seconds=(0, 1))
        while customers.in_flight("staging") < 3:  # noqa: ASYNC110 - the customers tell nobody
            await asyncio.sleep(0.2)
        blockers = {placed.instance_id for placed in customers.placed}

        run_id = await api.trigger(DAG, stack.release("v2_0_0", "2.0.0", drain_deadline_minutes=0.2))
        late = await to_the_end(stack, api, run_id)
        assert not late.succeeded
        assert {step.name: step.state for step in late.steps}["wait_for_staging_to_drain"] == "failed"
        assert any(instance_id in said_by_failed(late) for instance_id in blockers)
        assert re.search(r"\d+ ?(s|min|second)", said_by_failed(late)), "the age of the blockers"
        assert await asyncio.to_thread(stack.cloud.hub, None) == HUB_OF[None]

        run_id = await api.trigger(DAG, stack.release("v2_0_0", "2.0.0"))
        waiting = await until_deferred(api, run_id, "wait_for_staging_to_drain")
        assert line_for_people(await api.log(DAG, run_id, waiting))
        held.set()
        outcome = await to_the_end(stack, api, run_id)
        assert outcome.succeeded
        assert await customers.until_all_are_over(20)
        assert customers.ledger.failures == []

    assert await asyncio.to_thread(stack.cloud.hub, None) == HUB_OF[STAGING]
    found = await asyncio.to_thread(audit, stack.storage, HUB_OF.values(), blockers)
    assert found.broken == []


async def test_what_blocks_is_ended_only_after_a_person_approved_it_and_so_is_the_swap(
    stack: Stack, api: AirflowApi
) -> None:
    # The test before left version 2.0.0 in production and 1.1.0, with its hub, in staging.
    front = await asyncio.to_thread(stack.cloud.front, STAGING)
    hub = await asyncio.to_thread(stack.cloud.hub, STAGING)
    order = make_order("for-nobody", random.Random(3))
    async with httpx.AsyncClient(timeout=30) as client:
        headers = {"x-functions-key": front.key}
        started = (await client.post(f"{front.url}/api/orders", headers=headers, json=order)).raise_for_status()
    blocker = started.json()["id"]

    asked = stack.release(
        "v1_1_0",
        "1.1.0",
        approval=True,
        on_drain_deadline="terminate",
        drain_deadline_minutes=0.3,
        settle_seconds=1,
        poll_seconds=1,
    )
    run_id = await api.trigger(DAG, asked)
    ending = asyncio.ensure_future(to_the_end(stack, api, run_id))
    untouched = {"approve_terminate_staging": "Running", "approve": "Terminated"}
    answered: set[tuple[str, int]] = set()
    while not ending.done():
        for question in await questions(api, run_id):
            if (question.task_id, question.try_number) in answered:
                continue
            assert await runtime_status(stack, hub, blocker) == untouched[question.task_id]
            assert await asyncio.to_thread(stack.cloud.hub, STAGING) == hub, "nobody has swapped yet"
            # Airflow 3.3 may lose an answer that comes quickly: the task is tried again then, and asks again.
            await asyncio.sleep(ANSWER_AFTER_SECONDS)
            await api.answer(DAG, run_id, question, "Approve")
            answered.add((question.task_id, question.try_number))
        await asyncio.sleep(0.5)
    outcome = await ending
    assert outcome.succeeded, said_by_failed(outcome)
    assert {task_id for task_id, _ in answered} == set(untouched)
    said = {step.name: step.said for step in outcome.steps}
    assert blocker in said["terminate_staging"]
    assert await asyncio.to_thread(stack.cloud.hub, None) == hub


async def runtime_status(stack: Stack, hub: str, instance_id: str) -> str:
    async with TableServiceClient.from_connection_string(stack.storage) as service:
        row = await service.get_table_client(f"{hub}Instances").get_entity(instance_id, "")
        return str(row["RuntimeStatus"])


def said_by_failed(outcome: Outcome) -> str:
    return " ".join(step.said for step in outcome.steps if step.state == "failed")


def settings_of_both_slots(stack: Stack) -> list[dict[str, str]]:
    apps, group = stack.cloud.client.web_apps, stack.azure.resource_group
    return [
        dict(apps.list_application_settings(group, stack.cloud.app).properties or {}),
        dict(apps.list_application_settings_slot(group, stack.cloud.app, STAGING).properties or {}),
    ]
