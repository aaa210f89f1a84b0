"""The reader of a task hub against Azurite: what it finds, what it costs, and that unknown is never zero."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from local_azure.azurite import free_ports
from tests.support.task_hub_storage import binding, hub_in_storage, storage
from zdd.core.drain import DrainState, DrainVerdict
from zdd.core.host_json import StorageKind, StorageReference
from zdd.core.partitions import partition_of
from zdd.hooks import hub_tables, task_hub
from zdd.hooks.task_hub import TaskHubReader, prove_once

QUEUES = 5
HOUR = timedelta(hours=1)


async def settled(azurite: str, hub: str, **options: str) -> DrainVerdict:
    """A proof after the second in which the hub was written to."""
    await asyncio.sleep(1.05)
    return await prove_once(binding(azurite, hub, **options))


@pytest.mark.parametrize("old", [False, True], ids=["partitions in a table", "partitions in blobs"])
async def test_an_empty_hub_of_either_generation_has_drained(azurite: str, old: bool) -> None:
    name = f"Empty{old}"
    async with hub_in_storage(azurite, name, old=old):
        verdict = await prove_once(binding(azurite, name))
    assert verdict.state is DrainState.DRAINED
    assert len(verdict.evidence.queues) == QUEUES


@pytest.mark.parametrize("status", ["Pending", "Running", "Suspended", "ContinuedAsNew", "Sleepwalking"])
async def test_a_live_row_makes_the_hub_busy(azurite: str, status: str) -> None:
    async with hub_in_storage(azurite, f"Live{status}") as hub:
        await hub.row("order/1", status)
        verdict = await prove_once(binding(azurite, hub.hub))
    assert verdict.state is DrainState.BUSY
    assert verdict.evidence.blockers[0].instance_id == "order/1"


async def test_a_start_that_is_only_in_a_queue_makes_the_hub_busy(azurite: str) -> None:
    async with hub_in_storage(azurite, "OnlyQueued") as hub:
        await hub.message("new", "ExecutionStarted")
        assert (await prove_once(binding(azurite, hub.hub))).state is DrainState.BUSY


async def test_a_hidden_work_item_makes_the_hub_busy(azurite: str) -> None:
    async with hub_in_storage(azurite, "WorkItem") as hub:
        await hub.message("order-1", "TaskScheduled", hidden=60, work_item=True)
        assert (await prove_once(binding(azurite, hub.hub))).state is DrainState.BUSY


async def test_a_hub_with_entities_and_late_messages_has_drained_and_says_so(azurite: str) -> None:
    async with hub_in_storage(azurite, "Leftovers") as hub:
        await hub.row("@counter@a")
        await hub.row("done", "Completed")
        await hub.message("done")
        verdict = await settled(azurite, hub.hub)
    assert verdict.state is DrainState.DRAINED
    assert verdict.evidence.entity_ids == ("@counter@a",)
    assert verdict.evidence.messages_discarded == 1


async def test_a_timer_to_come_explains_its_hidden_message_and_a_past_one_does_not(azurite: str) -> None:
    async with hub_in_storage(azurite, "Timers") as hub:
        await hub.row("sleeper", "Terminated")
        await hub.message("sleeper", "TimerFired", hidden=600)
        await hub.timer("sleeper", datetime.now(UTC) - HOUR, 1)
        assert (await settled(azurite, hub.hub)).state is DrainState.BUSY
        await hub.timer("sleeper", datetime.now(UTC) + HOUR, 2)
        verdict = await settled(azurite, hub.hub)
    assert verdict.state is DrainState.DRAINED
    assert verdict.evidence.timers_to_come == 1


async def test_timers_beyond_the_budget_of_pages_explain_nothing(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_tables, "PAGE_ROWS", 2)
    monkeypatch.setattr(hub_tables, "TIMER_PAGES", 3)
    async with hub_in_storage(azurite, "Budget") as hub:
        await hub.message("sleeper", "TimerFired", hidden=600)
        for number in range(6):
            await hub.timer("sleeper", datetime.now(UTC) + HOUR, number)
        assert (await settled(azurite, hub.hub)).state is DrainState.DRAINED
        await hub.timer("sleeper", datetime.now(UTC) + HOUR, 6)
        assert (await settled(azurite, hub.hub)).state is DrainState.BUSY


async def test_a_hub_that_is_written_to_while_it_is_read_is_busy(azurite: str) -> None:
    async with hub_in_storage(azurite, "Moving") as hub, TaskHubReader(binding(azurite, hub.hub)) as reader:
        stop = asyncio.Event()

        async def keep_finishing() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                await hub.row(f"quick-{number % 5}", "Completed")
                await asyncio.sleep(0.02)

        writer = asyncio.create_task(keep_finishing())
        moving = await reader.prove(None)
        stop.set()
        await writer
        still = await reader.prove(None)
    assert moving.state is DrainState.BUSY
    assert "changed while" in moving.reason
    assert still.state is DrainState.DRAINED


async def test_a_hub_of_which_nothing_exists_was_never_started(azurite: str) -> None:
    assert (await prove_once(binding(azurite, "NeverSeen"))).state is DrainState.NEVER_STARTED


async def test_a_hub_with_a_neighbour_of_a_longer_name_was_never_started(azurite: str) -> None:
    async with hub_in_storage(azurite, "NeighbourTwo") as neighbour:
        await neighbour.row("order-1")
        assert (await prove_once(binding(azurite, "Neighbour"))).state is DrainState.NEVER_STARTED


@pytest.mark.parametrize("part", ["Instances", "workitems", "control-02", "Partitions"])
async def test_a_hub_with_a_part_missing_is_unknown(azurite: str, part: str) -> None:
    async with hub_in_storage(azurite, f"Lacks{part.replace('-', '')}") as hub:
        if part[0].isupper():
            await hub.tables.delete_table(hub.hub + part)
        else:
            await hub.queues.delete_queue(f"{hub.hub.lower()}-{part}")
        verdict = await prove_once(binding(azurite, hub.hub))
    # Without its Partitions table the queues still tell how many there are.
    assert verdict.state is (DrainState.DRAINED if part == "Partitions" else DrainState.UNKNOWN)


@pytest.mark.parametrize("text", ["not json", "{}", '{"PartitionCount": 0}', '{"PartitionCount": 99}'])
async def test_a_number_of_partitions_that_cannot_be_is_unknown(azurite: str, text: str) -> None:
    async with hub_in_storage(azurite, f"Count{len(text)}", old=True) as hub:
        blob = hub.blobs.get_blob_client(f"{hub.hub.lower()}-leases", "taskhub.json")
        await blob.upload_blob(text, overwrite=True)
        assert (await prove_once(binding(azurite, hub.hub))).state is DrainState.UNKNOWN


async def test_a_gap_among_the_listed_control_queues_is_unknown(azurite: str) -> None:
    async with hub_in_storage(azurite, "Gap") as hub:
        await hub.tables.delete_table("GapPartitions")
        await hub.queues.delete_queue("gap-control-01")
        verdict = await prove_once(binding(azurite, hub.hub))
    assert verdict.state is DrainState.UNKNOWN
    assert "missing" in verdict.reason


def with_account_key(azurite: str, key: str) -> str:
    return ";".join(f"AccountKey={key}" if part.startswith("AccountKey=") else part for part in azurite.split(";"))


def with_other_ports(azurite: str) -> str:
    parts = dict(part.split("=", 1) for part in azurite.rstrip(";").split(";"))
    for service, port in zip(("Blob", "Queue", "Table"), free_ports(3), strict=True):
        parts[f"{service}Endpoint"] = f"http://127.0.0.1:{port}/devstoreaccount1"
    return ";".join(f"{name}={value}" for name, value in parts.items())


async def test_a_wrong_key_is_unknown_and_no_key_is_told(azurite: str) -> None:
    async with hub_in_storage(azurite, "WrongKey"):
        verdict = await prove_once(binding(with_account_key(azurite, "bm90IHRoZSBrZXk="), "WrongKey"))
    assert verdict.state is DrainState.UNKNOWN
    assert "403" in verdict.reason
    text = json.dumps(verdict.to_json())
    assert "bm90IHRoZSBrZXk=" not in text
    assert "Signature" not in text


async def test_an_account_that_does_not_exist_is_unknown(azurite: str) -> None:
    other = azurite.replace("devstoreaccount1", "nosuchaccount")
    assert (await prove_once(binding(other, "Absent"))).state is DrainState.UNKNOWN


async def test_a_storage_that_does_not_answer_is_unknown(azurite: str) -> None:
    verdict = await prove_once(binding(with_other_ports(azurite), "Away"))
    assert verdict.state is DrainState.UNKNOWN
    assert "did not answer" in verdict.reason


async def test_a_connection_string_that_cannot_be_read_is_unknown_and_not_repeated(azurite: str) -> None:
    verdict = await prove_once(binding("AccountKey=c2VjcmV0", "Odd"))
    assert verdict.state is DrainState.UNKNOWN
    assert "c2VjcmV0" not in json.dumps(verdict.to_json())


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        (StorageReference("S", StorageKind.MISSING), "no storage connection"),
        (StorageReference("S", StorageKind.KEY_VAULT), "Key Vault"),
        (StorageReference("S", StorageKind.IDENTITY, table_endpoint="https://a.table.core.windows.net"), "identity"),
        (StorageReference("S", StorageKind.IDENTITY), "names no table endpoint"),
    ],
    ids=["no connection", "key vault", "identity without a credential", "identity without an endpoint"],
)
async def test_a_storage_that_cannot_be_opened_is_unknown(
    azurite: str, reference: StorageReference, reason: str
) -> None:
    verdict = await prove_once(replace(binding(azurite, "Closed"), storage=reference))
    assert verdict.state is DrainState.UNKNOWN
    assert reason in verdict.reason


async def test_another_storage_provider_is_unknown(azurite: str) -> None:
    verdict = await prove_once(replace(binding(azurite, "Sql"), storage_provider="mssql"))
    assert verdict.state is DrainState.UNKNOWN
    assert "mssql" in verdict.reason


async def test_a_reading_that_takes_too_long_is_unknown(azurite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_hub, "READING_LIMIT_SECONDS", 0.0)
    async with hub_in_storage(azurite, "Slow"):
        assert (await prove_once(binding(azurite, "Slow"))).state is DrainState.UNKNOWN


async def test_no_secret_shows_in_the_readers_texts(azurite: str) -> None:
    reader = TaskHubReader(binding(azurite, "Secrets"))
    async with reader:
        texts = (repr(reader), repr(reader._storage._hub), repr(reader.binding))
    assert not any("Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6" in text for text in texts)


async def test_a_proof_of_zero_costs_at_most_two_requests_a_queue_and_two_more(azurite: str) -> None:
    async with hub_in_storage(azurite, "Cheap", old=True) as hub:
        await hub.row("done", "Completed")
        for instance in one_in_each_partition():
            await hub.message(instance)
        verdict = await settled(azurite, hub.hub)
    assert verdict.state is DrainState.DRAINED
    assert verdict.evidence.messages_discarded == 4
    assert verdict.evidence.requests <= 2 * QUEUES + 2


def one_in_each_partition() -> list[str]:
    return [next(f"gone-{n}" for n in range(100) if partition_of(f"gone-{n}", 4) == number) for number in range(4)]


async def test_a_proof_of_zero_on_an_empty_hub_costs_seven_requests(azurite: str) -> None:
    async with hub_in_storage(azurite, "Seven"):
        assert (await prove_once(binding(azurite, "Seven"))).evidence.requests == 7


async def test_a_poll_of_a_busy_hub_reads_one_row_and_every_tenth_is_a_proof(
    azurite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_tables, "PAGE_ROWS", 50)
    async with hub_in_storage(azurite, "Large") as hub, TaskHubReader(binding(azurite, hub.hub)) as reader:
        await hub.rows((f"live-{number}" for number in range(120)), "Running")
        await hub.rows((f"done-{number}" for number in range(180)), "Completed")
        await asyncio.sleep(1.05)
        proof = await reader.prove(None)
        polls = [proof]
        for _ in range(10):
            polls.append(await reader.poll(polls[-1].memory))
    assert proof.evidence.in_flight == 120
    assert proof.evidence.pages == 3
    assert [verdict.evidence.requests for verdict in polls[1:10]] == [1] * 9
    assert polls[10].evidence.in_flight == 120
    assert {verdict.state for verdict in polls} == {DrainState.BUSY}


async def test_a_live_row_behind_a_page_of_entities_is_found_by_key_ranges(
    azurite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_tables, "PAGE_ROWS", 20)
    async with hub_in_storage(azurite, "Behind") as hub:
        await hub.rows((f"@counter@{number}" for number in range(50)), "Running")
        entities_only = await settled(azurite, hub.hub)
        await hub.row("zebra")
        verdict = await prove_once(binding(azurite, hub.hub))
    assert entities_only.state is DrainState.DRAINED
    assert entities_only.evidence.entities == 50
    assert entities_only.evidence.pages > 3
    assert verdict.state is DrainState.BUSY
    assert verdict.evidence.blockers[0].instance_id == "zebra"


async def test_a_poll_whose_witness_has_finished_makes_a_proof(azurite: str) -> None:
    async with hub_in_storage(azurite, "Witness") as hub, TaskHubReader(binding(azurite, hub.hub)) as reader:
        await hub.row("order-1")
        first = await reader.poll(None)
        await hub.row("order-1", "Completed")
        second = await reader.poll(first.memory)
    assert first.state is DrainState.BUSY
    assert second.state is DrainState.DRAINED


async def test_on_a_shared_tracking_store_each_hub_has_its_own_rows(azurite: str) -> None:
    options = {"tracking_prefix": "Shared"}
    async with (
        hub_in_storage(azurite, "ShareA", **options) as ours,
        hub_in_storage(azurite, "ShareB", **options) as theirs,
    ):
        await theirs.row("invoice-1")
        assert (await settled(azurite, "ShareA", **options)).state is DrainState.DRAINED
        assert (await settled(azurite, "ShareB", **options)).state is DrainState.BUSY
        await ours.row("order-1")
        assert (await settled(azurite, "ShareA", **options)).state is DrainState.BUSY


async def test_on_a_shared_tracking_store_a_child_without_a_hub_is_traced_to_its_parent(azurite: str) -> None:
    options = {"tracking_prefix": "Family"}
    async with hub_in_storage(azurite, "KinA", **options), hub_in_storage(azurite, "KinB", **options) as theirs:
        await theirs.row("parent", "Completed", ExecutionId="parent's run")
        await theirs.row("child", hub=None, ExecutionId="run")
        assert (await settled(azurite, "KinA", **options)).state is DrainState.BUSY
        parent = {"OrchestrationInstance": {"InstanceId": "parent", "ExecutionId": "parent's run"}}
        await theirs.history("child", "ExecutionStarted", ParentInstance=json.dumps(parent))
        assert (await settled(azurite, "KinA", **options)).state is DrainState.DRAINED
        assert (await settled(azurite, "KinB", **options)).state is DrainState.BUSY
        await theirs.row("parent", "Completed", hub="KinB", ExecutionId="started again since")
        assert (await settled(azurite, "KinA", **options)).state is DrainState.BUSY


async def test_on_a_shared_tracking_store_a_hub_without_parts_or_rows_was_never_started(azurite: str) -> None:
    options = {"tracking_prefix": "Crowd"}
    async with hub_in_storage(azurite, "CrowdA", **options) as neighbour:
        await neighbour.row("order-1")
        verdict = await prove_once(binding(azurite, "CrowdB", **options))
        assert verdict.state is DrainState.NEVER_STARTED
        await neighbour.row("left over", hub="CrowdB")
        verdict = await prove_once(binding(azurite, "CrowdB", **options))
        assert verdict.state is DrainState.UNKNOWN


async def test_two_accounts_are_kept_apart(azurite: str) -> None:
    async with hub_in_storage(azurite, "Apart"):
        away = storage(with_other_ports(azurite), "Tracking")
        verdict = await prove_once(replace(binding(azurite, "Apart"), tracking_storage=away, tracking_prefix="T"))
    assert verdict.state is DrainState.UNKNOWN


def test_the_facade_proves_without_an_event_loop(azurite: str) -> None:
    assert task_hub.prove(binding(azurite, "Facade"), None).state is DrainState.NEVER_STARTED
