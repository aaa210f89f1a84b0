"""The swap: proved by the task itself, never made twice, and undone when production does not come up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred

from zdd.core.host_json import Bound, StorageReference, TaskHubBinding
from zdd.core.release import Marker
from zdd.core.release_plan import Operation
from zdd.core.storage_reference import StorageKind
from zdd.exceptions import Conflict, Unknown
from zdd.operators.swap import SwapBackOperator, SwapSlotsOperator

GATES = ("terminate_production", "wait_for_production_to_drain")


def bound(hub: str, account: str = "one") -> Bound:
    storage = StorageReference("Store", StorageKind.CONNECTION_STRING, "secret", account=account)
    return Bound(TaskHubBinding(hub, storage))


def hubs_travel(world, operator, hubs=("Green", "Blue")) -> None:
    """Production's hub is the first one, and the other after each swap: the setting moves with the code."""

    def read_binding(name) -> Bound:
        swapped = world.apps.swaps_posted % 2 == 1
        return bound(hubs[1] if (name.slot is None) == swapped else hubs[0])

    operator.apps.read_binding = read_binding


@pytest.fixture
def swap(world):
    world.stage()

    def make(*script: str, hubs=("Green", "Blue"), **arguments):
        made = world.operator(SwapSlotsOperator, script or ("zero",), task_id="swap", gate_task_ids=GATES, **arguments)
        hubs_travel(world, made, hubs)
        return made

    return make


def production(world) -> Marker | None:
    return Marker.of(world.apps.settings[None])


def test_it_swaps_after_a_proof_of_its_own_and_records_intent_and_result(world, swap):
    operator = swap("zero")
    world.apps.before_swap = lambda: seen.append(world.store.intent(world.key, world.release_id, "swap"))
    seen = []
    result = operator.execute(world.context())
    assert production(world) == world.mine
    assert operator.scripted.looks == ["prove"]
    assert [(intent.result, intent.token) for intent in seen] == [(None, None)]
    assert world.store.intent(world.key, world.release_id, "swap").result == "done"
    assert result["proof"]["zeros"] == 3
    assert "taskHub=Green" in result["stragglers_reached_by"]


def test_work_that_came_in_after_the_wait_sends_it_back_to_waiting_with_the_same_deadline(world, swap):
    operator = swap("busy")
    with pytest.raises(TaskDeferred) as paused:
        operator.execute(world.context())
    assert world.apps.swaps_posted == 0
    assert paused.value.method_name == "resume"
    gate = world.results["wait_for_production_to_drain"]
    assert paused.value.trigger.deadline == gate["deadline"]
    resumed = swap("zero")
    resumed.resume(world.context(), {"status": "open", "watch": gate["watch"]})
    assert resumed.scripted.looks == ["prove"], "the trigger's zeros do not replace the proof of the task that swaps"
    assert production(world) == world.mine


def test_one_zero_alone_is_not_two_proofs_a_settle_time_apart(world, swap):
    world.results["wait_for_production_to_drain"]["watch"] = None
    with pytest.raises(TaskDeferred):
        swap("zero").execute(world.context())
    assert world.apps.swaps_posted == 0


def test_zeros_of_another_hub_do_not_count_after_a_swap_by_hand(world, swap):
    with pytest.raises(TaskDeferred):
        swap("zero@hub=b").execute(world.context())
    assert world.apps.swaps_posted == 0


def test_an_unknown_hub_is_never_swapped(world, swap):
    with pytest.raises(TaskDeferred):
        swap("unknown").execute(world.context())
    assert world.apps.swaps_posted == 0


def test_after_the_deadline_it_fails_and_says_why(world, swap):
    world.clock.now += timedelta(hours=1)
    with pytest.raises(AirflowFailException, match="1 instance in flight"):
        swap("busy").execute(world.context())


def test_a_window_that_closes_between_wait_and_swap_ends_as_skipped(world, swap):
    world.results["wait_for_production_to_drain"]["window_closes"] = True
    world.clock.now += timedelta(hours=1)
    with pytest.raises(AirflowSkipException, match="window"):
        swap("busy").execute(world.context())


def test_a_retry_after_a_crash_resumes_by_the_kept_token_without_a_second_swap(world, swap, monkeypatch):
    operator = swap()
    monkeypatch.setattr(operator.apps, "await_swap", lambda *_: (_ for _ in ()).throw(Unknown("the worker dies")))
    with pytest.raises(Unknown):
        operator.execute(world.context())
    assert world.apps.in_progress
    swap().execute(world.context())
    assert world.apps.swaps_posted == 1
    assert production(world) == world.mine


def test_a_crash_before_the_token_was_kept_is_decided_by_the_markers(world, swap, no_sleep):
    world.store.intend(world.key, world.release_id, "swap")
    world.apps.finish_swap("somebody saw it end")
    result = swap().execute(world.context())
    assert world.apps.swaps_posted == 0
    assert result["proof"] is None


def test_an_intent_whose_request_never_left_is_done_now(world, swap):
    world.store.intend(world.key, world.release_id, "swap")
    swap().execute(world.context())
    assert world.apps.swaps_posted == 1


def test_a_swap_that_azure_gave_up_is_tried_once_more_by_the_retry(world, swap):
    world.apps.swap_fails = True
    with pytest.raises(Unknown, match="gave up"):
        swap().execute(world.context())
    world.apps.swap_fails = False
    swap().execute(world.context())
    assert world.apps.swaps_posted == 2
    assert production(world) == world.mine


def test_a_release_that_somebody_else_overwrote_is_not_swapped(world, swap):
    world.apps.settings["staging"] |= Marker("other", "cd" * 32).to_settings()
    with pytest.raises(AirflowFailException, match="in neither slot"):
        swap().execute(world.context())
    assert world.apps.swaps_posted == 0


def test_without_the_lock_nothing_is_swapped(world, swap):
    world.clock.now += timedelta(hours=10)
    world.store.lock(world.key, "run-2", expires_at=world.clock.now + timedelta(hours=1))
    world.open_gate("wait_for_production_to_drain")
    with pytest.raises(Conflict, match="run-2"):
        swap().execute(world.context())
    assert world.apps.swaps_posted == 0


def test_a_running_operation_of_somebody_else_is_a_conflict_to_retry(world, swap):
    operator = swap()
    operator.apps.operation = lambda _name: Operation.NONE
    world.apps.in_progress = "theirs"
    with pytest.raises(Conflict, match="busy"):
        operator.execute(world.context())


def test_a_handover_needs_the_word_that_events_reach_staging(world, swap):
    world.open_gate("wait_for_production_to_drain", "handover")
    with pytest.raises(AirflowFailException, match="events_reach_staging"):
        swap("busy").execute(world.context())
    assert world.apps.swaps_posted == 0


def test_a_handover_needs_two_hubs(world, swap):
    world.open_gate("wait_for_production_to_drain", "handover")
    with pytest.raises(AirflowFailException, match="two separate task hubs"):
        swap("busy", hubs=("Blue", "BLUE"), events_reach_staging="True").execute(world.context())
    assert world.apps.swaps_posted == 0


def test_a_handover_swaps_with_work_in_flight_and_says_so(world, swap):
    world.open_gate("wait_for_production_to_drain", "handover")
    result = swap("busy", events_reach_staging="True").execute(world.context())
    assert production(world) == world.mine
    assert result["proof"]["handover"] is True
    assert result["proof"]["evidence"]["blockers"]


def back(world):
    made = world.operator(SwapBackOperator, task_id="swap_back")
    hubs_travel(world, made)
    return made


def test_swapping_back_brings_the_version_before_and_reports_a_handover(world, swap):
    swap().execute(world.context())
    result = back(world).execute(world.context())
    assert production(world) is None
    assert Marker.of(world.apps.settings["staging"]) == world.mine
    assert result["handover"] is True
    assert "taskHub=Blue" in result["stragglers_reached_by"], "the hub of the version that was swapped back"
    assert world.store.releases(world.key)[0]["State"] == "rolled back"


def test_swapping_back_twice_does_not_swap_forth(world, swap):
    swap().execute(world.context())
    back(world).execute(world.context())
    with pytest.raises(AirflowSkipException):
        back(world).execute(world.context())
    assert world.apps.swaps_posted == 2


@pytest.mark.parametrize("reached", ["nothing", "lock", "package", "intent"])
def test_there_is_nothing_to_swap_back_when_nothing_was_swapped(world, reached):
    if reached in ("nothing", "lock"):
        world.results.pop("inspect_package")
    if reached == "nothing":
        world.results.pop("lock")
    if reached == "intent":
        world.stage()
        world.store.intend(world.key, world.release_id, "swap")
    with pytest.raises(AirflowSkipException):
        back(world).execute(world.context())
    assert world.apps.swaps_posted == 0
