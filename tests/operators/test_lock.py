"""Lock and unlock as tasks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk.exceptions import AirflowFailException

from tests.operators.conftest import OWNER
from zdd.exceptions import Conflict
from zdd.operators import release_store
from zdd.operators.release_store import LockAppOperator, UnlockAppOperator, release_id_of


@pytest.fixture
def lock(world, monkeypatch):
    monkeypatch.setattr(release_store, "utcnow", world.clock)
    return lambda **changes: world.operator(LockAppOperator, task_id="lock", **changes)


def test_the_lock_outlives_both_waits_and_the_approvals(world, lock):
    result = lock(drain_deadline_minutes="600", approvals="1").execute(world.context())
    expires = world.store.holder(world.key).expires_at
    assert expires > world.clock.now + timedelta(hours=2 * 10 + 24)
    assert result["release_id"] == release_id_of(OWNER)


def test_a_lock_that_waits_for_nobody_expires_the_same_night(world, lock):
    lock(drain_deadline_minutes="60").execute(world.context())
    assert world.store.holder(world.key).expires_at < world.clock.now + timedelta(hours=8)


def test_every_try_of_a_run_gets_the_same_release_id(lock, world):
    assert lock().execute(world.context())["release_id"] == lock().execute(world.context())["release_id"]


def test_two_runs_do_not_share_a_release_id():
    assert release_id_of("dag / run-1") != release_id_of("dag / run-2")


def test_an_app_that_another_run_holds_is_a_conflict_that_names_it(world, lock):
    with pytest.raises(Conflict, match="run-1 holds it since"):
        lock().execute(world.context(run_id="run-2"))


def test_an_app_without_a_name_is_refused(world):
    made = world.operator(LockAppOperator, task_id="lock")
    made.app_name = " "
    with pytest.raises(Exception, match="No app is named"):
        made.execute(world.context())


def test_two_runs_release_two_apps_side_by_side_and_a_second_run_of_one_app_is_told_who_holds_it(world, lock):
    def lock_for(app_name: str):
        made = lock()
        made.app_name = app_name
        return made

    second = lock_for("other-app").execute(world.context(run_id="run-2"))
    assert second["lock"]["owner"] == "status_check_slot / run-2"
    assert world.store.holder(world.key).owner == OWNER, "run-1 goes on with its own app"
    for app_name, holder in (("app", "run-1"), ("APP", "run-1"), ("other-app", "run-2")):
        with pytest.raises(Conflict, match=rf"{holder} holds it since 2026-11-21"):
            lock_for(app_name).execute(world.context(run_id="run-3"))


@pytest.mark.parametrize("slot", ["production", " Production ", ""])
def test_production_is_never_taken_for_the_slot_that_is_deployed_to(world, lock, slot):
    made = lock()
    made.slot_name = slot
    with pytest.raises(AirflowFailException, match="slot of a release is production"):
        made.execute(world.context())


def test_unlocking_frees_the_app_for_the_next_run(world, lock):
    assert world.operator(UnlockAppOperator, task_id="unlock").execute(world.context()) == {"unlocked": True}
    lock().execute(world.context(run_id="run-2"))


def test_unlocking_leaves_the_lock_of_a_run_that_took_over(world):
    world.clock.now += timedelta(days=3)
    world.store.lock(world.key, "run-2", expires_at=world.clock.now + timedelta(hours=1))
    assert world.operator(UnlockAppOperator, task_id="unlock").execute(world.context()) == {"unlocked": False}
    assert world.store.holder(world.key).owner == "run-2"
