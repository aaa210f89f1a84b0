"""The drain verdict on one reading: rows, queues, timers, attribution. Each rule has its test."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.hub_readings import HUB, LONG_AGO, NOON, in_partition, message, reading, row, timer, verdict_on
from zdd.core.drain import DrainState, never_started, unknown
from zdd.core.drain_memory import DrainMemory
from zdd.core.drain_rules import sort_reading, wants_timers
from zdd.core.instances import RuntimeStatus
from zdd.core.observation import QueueReading

SECOND = timedelta(seconds=1)


def test_an_empty_hub_has_drained() -> None:
    assert verdict_on(reading()).state is DrainState.DRAINED


@pytest.mark.parametrize("status", [status for status in RuntimeStatus if status.is_live])
def test_a_row_in_any_live_status_makes_the_hub_busy(status: RuntimeStatus) -> None:
    assert verdict_on(reading(row("order-1", status))).state is DrainState.BUSY


@pytest.mark.parametrize("status", [status for status in RuntimeStatus if not status.is_live])
def test_finished_rows_do_not_make_the_hub_busy(status: RuntimeStatus) -> None:
    assert verdict_on(reading(row("order-1", status))).state is DrainState.DRAINED


def test_an_entity_is_left_out_and_reported() -> None:
    verdict = verdict_on(reading(row("@counter@a")))
    assert verdict.state is DrainState.DRAINED
    assert verdict.evidence.entity_ids == ("@counter@a",)


def test_an_orchestration_whose_id_begins_like_an_entity_counts() -> None:
    assert verdict_on(reading(row("@order"))).state is DrainState.BUSY


def test_a_scan_that_did_not_reach_the_last_page_is_no_zero() -> None:
    assert verdict_on(reading(rows_complete=False)).state is DrainState.BUSY


def test_any_message_in_the_work_item_queue_counts() -> None:
    assert verdict_on(reading(work_items=1)).state is DrainState.BUSY


def test_a_visible_start_counts_although_its_instance_is_not_known() -> None:
    seen = reading(visible={0: [message("new", "ExecutionStarted")]})
    assert verdict_on(seen).state is DrainState.BUSY


def test_a_visible_start_counts_although_its_instance_is_finished() -> None:
    seen = reading(row("again", RuntimeStatus.COMPLETED), visible={0: [message("again", "ExecutionStarted")]})
    assert verdict_on(seen).state is DrainState.BUSY


def test_a_visible_message_for_an_entity_counts() -> None:
    assert verdict_on(reading(visible={2: [message("@counter@a")]})).state is DrainState.BUSY


def test_a_visible_message_for_a_finished_or_unknown_instance_is_reported_and_does_not_count() -> None:
    seen = reading(row("done", RuntimeStatus.COMPLETED), visible={0: [message("done"), message("never heard of")]})
    verdict = verdict_on(seen)
    assert verdict.state is DrainState.DRAINED
    assert verdict.evidence.messages_discarded == 2


@pytest.mark.parametrize("unread", [message(None, None), message("order-1", None), message(None, "EventRaised")])
def test_a_message_whose_instance_or_kind_cannot_be_read_counts(unread: object) -> None:
    assert verdict_on(reading(visible={0: [unread]})).state is DrainState.BUSY  # type: ignore[list-item]


def test_a_peek_that_returns_its_maximum_is_busy_whatever_it_shows() -> None:
    seen = reading(visible={3: [message(f"gone-{number}") for number in range(32)]}, hidden={3: 8})
    verdict = verdict_on(seen)
    assert verdict.state is DrainState.BUSY
    assert "32" in verdict.reason


def test_a_message_put_between_count_and_peek_does_not_hide_a_hidden_one() -> None:
    seen = reading()
    late = QueueReading(seen.control[0].name, 1, (message("gone"),), fresh=1)
    assert verdict_on(replace(seen, control=(late, *seen.control[1:]))).state is DrainState.BUSY


def test_a_row_that_changed_since_the_reading_began_voids_it() -> None:
    verdict = verdict_on(reading(row("done", RuntimeStatus.COMPLETED, changed=NOON)))
    assert verdict.state is DrainState.BUSY
    assert "changed while" in verdict.reason


def test_an_entity_that_changed_since_the_reading_began_voids_it_too() -> None:
    assert verdict_on(reading(row("@counter@a", changed=NOON + SECOND))).state is DrainState.BUSY


def test_a_hidden_message_is_explained_by_a_timer_still_to_come() -> None:
    (sleeper,) = in_partition(1)
    verdict = verdict_on(reading(hidden={1: 1}, timers=[timer(sleeper, NOON + 3 * SECOND)]))
    assert verdict.state is DrainState.DRAINED
    assert verdict.evidence.timers_to_come == 1


def test_a_timer_of_another_partition_explains_nothing() -> None:
    (sleeper,) = in_partition(2)
    assert verdict_on(reading(hidden={1: 1}, timers=[timer(sleeper, NOON + 60 * SECOND)])).state is DrainState.BUSY


def test_one_timer_does_not_explain_two_hidden_messages() -> None:
    (sleeper,) = in_partition(1)
    verdict = verdict_on(reading(hidden={1: 2}, timers=[timer(sleeper, NOON + 60 * SECOND)]))
    assert verdict.state is DrainState.BUSY
    assert verdict.evidence.hidden_unexplained == 1


@pytest.mark.parametrize("seconds", [-3600, -1, 0, 1, 2])
def test_a_timer_that_is_due_or_nearly_due_explains_nothing(seconds: int) -> None:
    (sleeper,) = in_partition(0)
    seen = reading(hidden={0: 1}, timers=[timer(sleeper, NOON + seconds * SECOND)])
    assert verdict_on(seen).state is DrainState.BUSY


def test_a_hundred_past_due_timers_do_not_explain_one_hidden_start() -> None:
    timers = [timer(instance, LONG_AGO, number) for number, instance in enumerate(in_partition(0, 100))]
    verdict = verdict_on(reading(hidden={0: 1}, timers=timers))
    assert verdict.state is DrainState.BUSY
    assert verdict.evidence.hidden_unexplained == 1


def test_a_query_of_timers_beyond_its_budget_explains_nothing() -> None:
    (sleeper,) = in_partition(0)
    seen = reading(hidden={0: 1}, timers=[timer(sleeper, NOON + 60 * SECOND)], timers_complete=False)
    assert verdict_on(seen).state is DrainState.BUSY


def test_timers_with_the_same_id_in_two_executions_are_two() -> None:
    (sleeper,) = in_partition(1)
    due = NOON + 60 * SECOND
    first, second = timer(sleeper, due), timer(sleeper, due)
    seen = reading(hidden={1: 2}, timers=[first, type(second)(sleeper, "another run", 0, due)])
    assert verdict_on(seen).state is DrainState.DRAINED


def test_a_timer_seen_once_is_remembered_after_its_history_is_gone() -> None:
    (sleeper,) = in_partition(1)
    before = verdict_on(reading(hidden={1: 1}, timers=[timer(sleeper, NOON + 60 * SECOND)]))
    purged = reading(hidden={1: 1}, timers=[], at=NOON + 20 * SECOND)
    assert verdict_on(purged, before.memory).state is DrainState.DRAINED


def test_a_remembered_timer_explains_nothing_once_it_is_due() -> None:
    (sleeper,) = in_partition(1)
    before = verdict_on(reading(hidden={1: 1}, timers=[timer(sleeper, NOON + 20 * SECOND)]))
    due = reading(hidden={1: 1}, timers=[], at=NOON + 19 * SECOND)
    assert verdict_on(due, before.memory).state is DrainState.BUSY


def test_timers_are_asked_for_only_when_they_could_decide() -> None:
    def wanted(**seen: object) -> bool:
        one = reading(**seen)  # type: ignore[arg-type]
        return wants_timers(one, sort_reading(one))

    assert wanted(hidden={0: 1})
    assert not wanted()
    assert not wanted(hidden={0: 1}, work_items=1)
    assert not wanted(hidden={0: 1}, visible={1: [message("new", "ExecutionStarted")]})
    assert not wanted(hidden={0: 1}, shared=True)


def test_on_a_shared_tracking_store_timers_explain_nothing() -> None:
    (sleeper,) = in_partition(1)
    seen = reading(hidden={1: 1}, timers=[timer(sleeper, NOON + 60 * SECOND)], shared=True)
    assert verdict_on(seen).state is DrainState.BUSY


def test_on_a_shared_tracking_store_rows_of_other_hubs_are_left_out_and_reported() -> None:
    verdict = verdict_on(reading(row("theirs", hub="Invoices", changed=NOON), shared=True))
    assert verdict.state is DrainState.DRAINED
    assert verdict.evidence.other_hubs_rows == 1


def test_on_a_shared_tracking_store_the_case_of_a_hubs_name_does_not_matter() -> None:
    assert verdict_on(reading(row("ours", hub=HUB.upper()), shared=True)).state is DrainState.BUSY


def test_on_a_shared_tracking_store_a_live_row_without_a_hub_counts_until_it_is_attributed() -> None:
    child = row("child", hub=None)
    assert verdict_on(reading(child, shared=True)).state is DrainState.BUSY
    assert verdict_on(reading(child, shared=True, attributed={"child": HUB})).state is DrainState.BUSY
    assert verdict_on(reading(child, shared=True, attributed={"child": "Invoices"})).state is DrainState.DRAINED


def test_a_message_in_our_queue_for_an_instance_under_another_hubs_name_counts() -> None:
    seen = reading(row("theirs", hub="Invoices"), visible={0: [message("theirs")]}, shared=True)
    assert verdict_on(seen).state is DrainState.BUSY


def test_the_oldest_blocker_is_named_with_its_age() -> None:
    verdict = verdict_on(reading(row("order-7", name="Approve")))
    assert "Approve 'order-7'" in verdict.reason
    assert "60 min old" in verdict.reason
    assert verdict.evidence.by_function == (("Approve", 1),)


def test_unknown_keeps_the_observation_but_no_witness() -> None:
    busy = verdict_on(reading(row("order-1")))
    assert busy.memory.witnesses == ("order-1",)
    verdict = unknown("the storage did not answer", busy.memory, hub="the hub")
    assert verdict.state is DrainState.UNKNOWN
    assert verdict.memory.last_poll == busy.memory.last_poll
    assert not verdict.memory.witnesses


def test_never_started_is_a_verdict_of_its_own() -> None:
    assert never_started(None, hub="the hub").state is DrainState.NEVER_STARTED


def test_a_memory_survives_its_journey_as_json() -> None:
    (sleeper,) = in_partition(1)
    memory = verdict_on(reading(hidden={1: 1}, timers=[timer(sleeper, NOON + 60 * SECOND)])).memory
    assert DrainMemory.from_json(memory.to_json()) == memory


def test_no_memory_is_a_beginning() -> None:
    assert DrainMemory.from_json(None) is None
    assert DrainMemory.from_json({"format": 99}) is None
