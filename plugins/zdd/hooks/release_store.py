"""The release store in Azure Tables: locks (who may change an app), intents (what was meant and done), releases.

Every write is conditional: a row is created only where none is, and changed only with the ETag that was read, so two
Airflow deployments cannot both believe that they own an app (promise S6).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from zdd import settings
from zdd.core.locks import LockAct, LockRow, decide_lock, why_not_act
from zdd.exceptions import BadInput, Conflict, Unknown
from zdd.hooks.azure import quiet_azure_logs
from zdd.hooks.store_rows import StoreRows, translated

if TYPE_CHECKING:
    from azure.data.tables import TableServiceClient

LOCKS, RELEASES, INTENTS = "zddLocks", "zddReleases", "zddIntents"
LOCK_ROW = "lock"
# A property of a table row holds at most 32 K characters; evidence is meant to be small.
MAX_TEXT = 30_000
# How often a write that somebody was quicker with is tried again.
TRIES = 5


def utcnow() -> datetime:
    """The store's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Lock:
    """A lock as its owner holds it. The epoch moves with each change of owner and never goes back."""

    app_key: str
    owner: str
    epoch: int
    since: datetime
    expires_at: datetime
    taken_from: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Small JSON for XCom."""
        return {
            "app_key": self.app_key,
            "owner": self.owner,
            "epoch": self.epoch,
            "since": self.since.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "taken_from": self.taken_from,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Lock:
        """Read what `to_json` wrote."""
        return cls(
            data["app_key"],
            data["owner"],
            int(data["epoch"]),
            datetime.fromisoformat(data["since"]),
            datetime.fromisoformat(data["expires_at"]),
            data.get("taken_from"),
        )


@dataclass(frozen=True)
class Intent:
    """What a release meant to do (before the call) and what came of it (after). `result` None: nobody knows yet."""

    action: str
    started_at: datetime
    result: str | None = None
    token: str | None = None
    detail: Mapping[str, Any] | None = None


def app_key(subscription_id: str, resource_group: str, app_name: str) -> str:
    """One key per function app, case ignored as Azure does, with no character that a table key may not hold."""
    return "|".join(_key(part) for part in (subscription_id, resource_group, app_name))


def _key(text: str) -> str:
    return re.sub(r"[/\\#?\x00-\x1f\x7f-\x9f|]", "-", text.lower())


class ReleaseStore:
    """Locks, releases and intents of one storage account. `service` is injected in tests."""

    def __init__(self, service: TableServiceClient, clock: Callable[[], datetime] = utcnow) -> None:
        self._rows = StoreRows(service)
        self._clock = clock

    # --- locks -----------------------------------------------------------------------------------------------------

    def lock(self, key: str, owner: str, *, expires_at: datetime, purpose: str = "") -> Lock:
        """Take the app's lock, or take it again (a retry). Raises Conflict that says who holds it and since when."""
        with translated():
            for _ in range(TRIES):
                now = self._clock()
                row = self._rows.read(LOCKS, key, LOCK_ROW)
                known = _lock_row(row)
                decision = decide_lock(known, owner, now=now)
                if decision.act is LockAct.REFUSE:
                    raise Conflict(
                        "The app is locked by another release",
                        expected="an app that no release works on",
                        found=decision.reason,
                        do="wait for that run to end, or end it",
                    )
                kept = known if decision.act is LockAct.KEEP else None
                since = kept.since if kept else now
                entity = {
                    "PartitionKey": key,
                    "RowKey": LOCK_ROW,
                    "Owner": owner,
                    "Epoch": decision.epoch,
                    "Since": since.isoformat(),
                    "ExpiresAt": expires_at.isoformat(),
                    "TouchedAt": now.isoformat(),
                    "Purpose": purpose,
                }
                if self._rows.write(LOCKS, entity, row):
                    taken_from = known.owner if known and decision.act is LockAct.TAKE_OVER else None
                    return Lock(key, owner, decision.epoch, since, expires_at, taken_from)
            raise Conflict("The app's lock changes faster than it can be taken", do="try again")

    def touch(self, lock: Lock, doing: str) -> None:
        """Check right before a mutating call that the lock is still ours, and leave a trace of it.

        Raises Conflict when somebody else has it, when the epoch moved, or when it has expired.
        """
        with translated():
            row = self._rows.read(LOCKS, lock.app_key, LOCK_ROW)
            now = self._clock()
            problem = why_not_act(_lock_row(row), lock.owner, lock.epoch, now=now)
            if problem:
                raise Conflict(
                    f"Not {doing}: this release may no longer change the app",
                    expected=f"its lock, owner {lock.owner}, epoch {lock.epoch}",
                    found=problem,
                    do="look at the run that holds it; start this release again when it is over",
                )
            changed = dict(row) | {"TouchedAt": now.isoformat(), "Doing": doing}
            if not self._rows.write(LOCKS, changed, row):
                raise Conflict(f"Not {doing}: somebody changed the lock of {lock.app_key} meanwhile", do="try again")

    def unlock(self, key: str, owner: str, epoch: int | None = None) -> bool:
        """Give the lock back. False, and nothing changed, when it is somebody else's (or nobody's)."""
        with translated():
            for _ in range(TRIES):
                row = self._rows.read(LOCKS, key, LOCK_ROW)
                if row is None or row.get("Owner") != owner or (epoch is not None and int(row["Epoch"]) != epoch):
                    return False
                free = dict(row) | {"Owner": "", "Doing": "", "TouchedAt": self._clock().isoformat()}
                if self._rows.write(LOCKS, free, row):
                    return True
            raise Conflict("The app's lock changes faster than it can be given back", do="try again")

    def holder(self, key: str) -> Lock | None:
        """The lock as it stands, or None when nobody holds it."""
        with translated():
            row = _lock_row(self._rows.read(LOCKS, key, LOCK_ROW))
        return Lock(key, row.owner, row.epoch, row.since, row.expires_at) if row and row.owner else None

    # --- intents ---------------------------------------------------------------------------------------------------

    def intent(self, key: str, release_id: str, action: str) -> Intent | None:
        """What this release has recorded about an action, or None when it never meant to do it."""
        with translated():
            row = self._rows.read(INTENTS, key, _intent_row(release_id, action))
        if row is None:
            return None
        return Intent(
            action,
            _when(row["StartedAt"]),
            row.get("Result") or None,
            row.get("Token") or None,
            json.loads(row.get("Detail") or "{}"),
        )

    def intend(self, key: str, release_id: str, action: str, detail: Mapping[str, Any] | None = None) -> None:
        """Record that the next call to Azure will be `action`. Replaces an older try of the same release."""
        self._put_intent(
            key, release_id, action, {"StartedAt": self._clock().isoformat(), "Result": "", "Token": ""}, detail
        )

    def keep_token(self, key: str, release_id: str, action: str, token: str) -> None:
        """Keep the continuation token of the operation that was started, so that a retry resumes it."""
        self._put_intent(key, release_id, action, {"Token": token}, None)

    def conclude(
        self, key: str, release_id: str, action: str, result: str, detail: Mapping[str, Any] | None = None
    ) -> None:
        """Record what came of an action."""
        self._put_intent(key, release_id, action, {"Result": result, "EndedAt": self._clock().isoformat()}, detail)

    def _put_intent(
        self, key: str, release_id: str, action: str, change: Mapping[str, Any], detail: Mapping[str, Any] | None
    ) -> None:
        with translated():
            for _ in range(TRIES):
                row = self._rows.read(INTENTS, key, _intent_row(release_id, action))
                base = dict(row) if row else {"StartedAt": self._clock().isoformat(), "ReleaseId": release_id}
                entity = base | {"PartitionKey": key, "RowKey": _intent_row(release_id, action), "Action": action}
                entity |= dict(change)
                if detail is not None:
                    entity["Detail"] = json.dumps(detail, default=str)[:MAX_TEXT]
                if self._rows.write(INTENTS, entity, row):
                    return
            raise Conflict(f"The intent {action} of {release_id} changes under our hands", do="try again")

    # --- releases --------------------------------------------------------------------------------------------------

    def record_release(self, key: str, release_id: str, state: str, **facts: Any) -> None:
        """Write the release's state and facts (package, version, sha256, reason); older facts stay."""
        with translated():
            for _ in range(TRIES):
                row = self._rows.read(RELEASES, key, _key(release_id))
                now = self._clock().isoformat()
                base = dict(row) if row else {"StartedAt": now}
                entity = base | {"PartitionKey": key, "RowKey": _key(release_id), "ReleaseId": release_id}
                entity |= {"State": state, "ChangedAt": now}
                entity |= {_column(name): str(value)[:MAX_TEXT] for name, value in facts.items() if value is not None}
                if self._rows.write(RELEASES, entity, row):
                    return
            raise Conflict(f"The record of release {release_id} changes under our hands", do="try again")

    def releases(self, key: str) -> list[dict[str, Any]]:
        """Every recorded release of an app, oldest first."""
        with translated():
            return sorted(self._rows.of_partition(RELEASES, key), key=lambda row: str(row["StartedAt"]))


def _intent_row(release_id: str, action: str) -> str:
    return f"{_key(release_id)}|{_key(action)}"


def _column(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _lock_row(row: Any) -> LockRow | None:
    if row is None:
        return None
    return LockRow(
        row.get("Owner") or None,
        int(row["Epoch"]),
        _when(row["Since"]),
        _when(row["ExpiresAt"]),
        str(row.get("Doing") or ""),
    )


class ReleaseStoreHook(BaseHook):
    """The release store behind a storage connection (type `wasb`): the same account that holds the packages."""

    conn_name_attr = "storage_conn_id"
    default_conn_name = settings.STORAGE_CONN_ID
    conn_type = "wasb"
    hook_name = "zdd release store"

    def __init__(self, storage_conn_id: str = settings.STORAGE_CONN_ID) -> None:
        super().__init__()
        self.storage_conn_id = storage_conn_id
        quiet_azure_logs()

    def get_conn(self) -> ReleaseStore:
        """Return the store. Reads the same fields of the connection as the provider's blob hook does."""
        from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential
        from azure.data.tables import TableServiceClient

        conn = self.get_connection(self.storage_conn_id)
        extra = {name.removeprefix("extra__wasb__"): value for name, value in conn.extra_dejson.items() if value}
        limits: dict[str, Any] = {"retry_total": 3, "connection_timeout": 10, "read_timeout": 30}
        if text := extra.get("connection_string"):
            mask_secret(text)
            return ReleaseStore(TableServiceClient.from_connection_string(text, **limits))
        host = str(conn.host or "") or (f"https://{conn.login}.blob.core.windows.net" if conn.login else "")
        if not host:
            raise BadInput(
                f"Connection {self.storage_conn_id!r} names no storage account",
                expected="extra `connection_string`, or login = account name, or host = account URL",
                found="none of them",
                do="fill in the connection (type wasb)",
            )
        endpoint = (host if "://" in host else f"https://{host}").replace(".blob.", ".table.")
        credential: Any
        if sas := extra.get("sas_token"):
            credential = AzureSasCredential(sas)
        elif extra.get("tenant_id"):
            from azure.identity import ClientSecretCredential

            credential = ClientSecretCredential(extra["tenant_id"], conn.login or "", conn.password or "")
        elif key := conn.password or extra.get("shared_access_key") or extra.get("account_key"):
            mask_secret(key)
            name = conn.login or endpoint.split("://")[1].split(".")[0]
            credential = AzureNamedKeyCredential(name, key)
        else:
            from azure.identity import ManagedIdentityCredential

            credential = ManagedIdentityCredential(client_id=extra.get("managed_identity_client_id"))
        return ReleaseStore(TableServiceClient(endpoint, credential=credential, **limits))

    def test_connection(self) -> tuple[bool, str]:
        """Say whether the three tables can be made and read, or what is missing."""
        try:
            store = self.get_conn()
            store.releases("connection test")
            store.holder("connection test")
        except (BadInput, Unknown) as error:
            return False, str(error)
        return True, "Release store reached: tables for locks, releases and intents are there"
