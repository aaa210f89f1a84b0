"""The release store against Azurite: one mutator per app, and every write conditional."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from azure.data.tables import TableServiceClient

from zdd.exceptions import BadInput, Conflict, Unknown
from zdd.hooks.release_store import INTENTS, LOCKS, ReleaseStore, ReleaseStoreHook, app_key

START = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(azurite, clock):
    return ReleaseStore(TableServiceClient.from_connection_string(azurite), clock)


@pytest.fixture
def key(request):
    return app_key("sub", "group", request.node.name)


def test_a_second_run_is_told_who_holds_the_lock_and_since_when(store, clock, key):
    store.lock(key, "status_check_slot / run-1", expires_at=START + HOUR)
    clock.now = START + timedelta(minutes=7)
    with pytest.raises(Conflict) as refused:
        store.lock(key, "run-2", expires_at=START + HOUR)
    assert "status_check_slot / run-1" in str(refused.value)
    assert START.isoformat() in str(refused.value)
    assert "7 min" in str(refused.value)


def test_a_retry_of_the_same_run_gets_the_same_epoch(store, key):
    first = store.lock(key, "run-1", expires_at=START + HOUR)
    again = store.lock(key, "run-1", expires_at=START + HOUR)
    assert (first.epoch, first.since) == (again.epoch, again.since)


def test_an_expired_lock_is_taken_over_and_its_old_owner_can_touch_nothing(store, clock, key):
    old = store.lock(key, "run-1", expires_at=START + HOUR)
    clock.now = START + 2 * HOUR
    new = store.lock(key, "run-2", expires_at=START + 3 * HOUR)
    assert (new.epoch, new.taken_from) == (old.epoch + 1, "run-1")
    with pytest.raises(Conflict, match="run-2"):
        store.touch(old, "swapping")
    store.touch(new, "swapping")


def test_a_lock_past_its_expiry_is_not_touched_even_by_its_owner(store, clock, key):
    lock = store.lock(key, "run-1", expires_at=START + HOUR)
    clock.now = START + HOUR
    with pytest.raises(Conflict, match="expired"):
        store.touch(lock, "deploying")


def test_the_epoch_goes_up_over_unlock_so_that_an_earlier_try_stays_out(store, key):
    first = store.lock(key, "run-1", expires_at=START + HOUR)
    assert store.unlock(key, "run-1", first.epoch)
    with pytest.raises(Conflict, match="nobody holds the lock"):
        store.touch(first, "swapping")
    assert store.lock(key, "run-1b", expires_at=START + HOUR).epoch == first.epoch + 1


def test_unlock_leaves_somebody_elses_lock_alone(store, key):
    lock = store.lock(key, "run-1", expires_at=START + HOUR)
    assert not store.unlock(key, "run-2")
    assert not store.unlock(key, "run-1", lock.epoch + 1)
    assert store.holder(key).owner == "run-1"


def test_of_many_runs_at_once_exactly_one_gets_the_lock(azurite, key):
    def try_lock(number: int) -> bool:
        store = ReleaseStore(TableServiceClient.from_connection_string(azurite), lambda: START)
        try:
            store.lock(key, f"run-{number}", expires_at=START + HOUR)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_lock, range(8))) == 1


def test_a_write_between_read_and_write_is_noticed(store, azurite, key):
    lock = store.lock(key, "run-1", expires_at=START + HOUR)
    rows = TableServiceClient.from_connection_string(azurite).get_table_client(LOCKS)
    read = store._rows.read

    def read_then_meddle(table, partition, row):
        found = read(table, partition, row)
        rows.upsert_entity({"PartitionKey": partition, "RowKey": row, "Purpose": "meddled"})
        return found

    store._rows.read = read_then_meddle
    with pytest.raises(Conflict, match="meanwhile"):
        store.touch(lock, "swapping")


def test_an_intent_without_result_is_told_from_one_that_was_concluded(store, key):
    assert store.intent(key, "r1", "swap") is None
    store.intend(key, "r1", "swap", {"from": "staging"})
    store.keep_token(key, "r1", "swap", "token-1")
    pending = store.intent(key, "r1", "swap")
    assert (pending.result, pending.token, pending.detail) == (None, "token-1", {"from": "staging"})
    store.conclude(key, "r1", "swap", "done", {"seconds": 3})
    done = store.intent(key, "r1", "swap")
    assert (done.result, done.token, done.detail) == ("done", "token-1", {"seconds": 3})


def test_intents_of_two_releases_do_not_meet(store, key, azurite):
    store.intend(key, "r1", "swap")
    store.intend(key, "r2", "swap")
    store.conclude(key, "r2", "swap", "done")
    assert store.intent(key, "r1", "swap").result is None
    table = TableServiceClient.from_connection_string(azurite).get_table_client(INTENTS)
    rows = table.query_entities("PartitionKey eq @k", parameters={"k": key})
    assert len(list(rows)) == 2


def test_a_release_keeps_its_facts_while_its_state_moves(store, clock, key):
    store.record_release(key, "r1", "started", version="1.1.0", package_sha256="abc")
    clock.now += HOUR
    store.record_release(key, "r1", "live", reason="swapped")
    (row,) = store.releases(key)
    assert (row["State"], row["Version"], row["PackageSha256"], row["Reason"]) == ("live", "1.1.0", "abc", "swapped")
    assert row["StartedAt"] == START.isoformat()


def test_keys_hold_no_character_that_a_table_refuses_and_ignore_case():
    assert app_key("S", "My/Group", "App#1") == app_key("s", "my/group", "app#1") == "s|my-group|app-1"


def connection(monkeypatch, **fields):
    monkeypatch.setenv("AIRFLOW_CONN_ZDD_TEST_STORE", json.dumps({"conn_type": "wasb", **fields}))
    return ReleaseStoreHook("zdd_test_store")


def test_the_connection_test_reaches_the_tables(monkeypatch, azurite):
    ok, message = connection(monkeypatch, extra={"connection_string": azurite}).test_connection()
    assert ok, message


def test_the_connection_test_names_what_is_missing(monkeypatch):
    ok, message = connection(monkeypatch).test_connection()
    assert not ok
    assert "connection_string" in message


def test_a_wrong_key_is_bad_input_and_shows_no_key(monkeypatch, azurite):
    wrong = azurite.replace("AccountKey=", "AccountKey=AAAA")
    hook = connection(monkeypatch, extra={"connection_string": wrong})
    with pytest.raises(BadInput) as refused:
        hook.get_conn().holder("x")
    assert "AAAA" not in str(refused.value)


def test_a_store_that_is_away_is_unknown(monkeypatch):
    gone = (
        "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=AAAA;"
        "TableEndpoint=http://127.0.0.1:9/devstoreaccount1;"
    )
    hook = connection(monkeypatch, extra={"connection_string": gone})
    monkeypatch.setattr("time.sleep", lambda _s: None)
    with pytest.raises(Unknown, match="cannot be reached"):
        hook.get_conn().holder("x")
