"""What every operator of a release shares: target and connections, the lock, and how an error ends a task."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from zdd import settings
from zdd.exceptions import BadInput, DeadlinePassed, ReleaseFailed, ZddError
from zdd.hooks.azure import AzureHook
from zdd.hooks.function_app import FunctionAppHook
from zdd.hooks.release_store import Lock, ReleaseStore, ReleaseStoreHook, app_key
from zdd.hooks.slot_reader import SlotName, slot_name

if TYPE_CHECKING:
    from airflow.sdk import Context

LOCK_TASK = "lock"
# XCom key under which a task that fails or skips leaves its reason for the report.
REASON = "reason"


def as_bool(name: str, value: Any) -> bool:
    """A parameter that came through a template as text. Raises BadInput for anything but true and false."""
    text = str(value).strip().lower()
    if text in ("true", "1", "yes"):
        return True
    if text in ("false", "0", "no", "none", ""):
        return False
    raise BadInput(f"Parameter {name} is no yes or no", expected="true or false", found=repr(value), do="correct it")


def as_number(name: str, value: Any) -> float:
    """A parameter that came through a template as text. Raises BadInput unless it is a number of 0 or more."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not 0 <= number < 1e9:
        raise BadInput(f"Parameter {name} is no number", expected="0 or more", found=repr(value), do="correct it")
    return number


def as_poll_seconds(value: Any) -> float:
    """The pause between two looks, within the bounds of a quiet window. Raises BadInput unless it is a number."""
    return max(0.2, min(as_number("poll_seconds", value), settings.MAX_POLL_SECONDS))


def as_choice(name: str, value: Any, allowed: Collection[str]) -> str:
    """A parameter out of a list. Raises BadInput that names the list."""
    if value not in allowed:
        expected = " | ".join(allowed)
        raise BadInput(f"Parameter {name} is not known", expected=expected, found=repr(value), do="choose one")
    return str(value)


def guarded(context: Context, work: Callable[..., Any], *args: Any) -> Any:
    """Call `work(context, *args)`; leave the reason of its end for the report; what no retry can heal ends at once."""
    try:
        return work(context, *args)
    except (BadInput, DeadlinePassed, ReleaseFailed) as error:
        leave_reason(context, str(error))
        raise AirflowFailException(str(error)) from error
    except (AirflowSkipException, AirflowFailException, ZddError) as error:
        leave_reason(context, str(error))
        raise


def leave_reason(context: Context, reason: str) -> None:
    """Leave the reason of a task's end where the report finds it."""
    if "ti" in context:
        context["ti"].xcom_push(key=REASON, value=reason[:2000])


class ReleaseOperator(BaseOperator):
    """Base of the operators of a release: they act on one app, under its lock, and return small JSON evidence.

    An error that a retry cannot heal (BadInput, DeadlinePassed, ReleaseFailed) ends the task at once; Unknown and
    Conflict are left to Airflow's retries, which is safe: each operator looks at what is before it acts.
    """

    template_fields: Sequence[str] = ("resource_group", "app_name", "slot_name", "azure_conn_id", "storage_conn_id")
    ui_color = "#0078d4"
    ui_fgcolor = "#ffffff"

    def __init__(
        self,
        *,
        resource_group: str,
        app_name: str,
        slot_name: str = "staging",
        azure_conn_id: str = settings.AZURE_CONN_ID,
        storage_conn_id: str = settings.STORAGE_CONN_ID,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource_group = resource_group
        self.app_name = app_name
        self.slot_name = slot_name
        self.azure_conn_id = azure_conn_id
        self.storage_conn_id = storage_conn_id

    def execute(self, context: Context) -> Any:
        """Act; turn an error that no retry can heal into one that Airflow does not retry."""
        return guarded(context, self.act)

    def act(self, context: Context) -> Any:
        """Do the operator's work; overridden."""
        raise NotImplementedError

    # --- where ----------------------------------------------------------------------------------------------------

    @property
    def staging(self) -> SlotName:
        """The slot that is deployed to. Raises BadInput for production: nothing is ever deployed there directly."""
        name = slot_name(self.resource_group, self.app_name, self.slot_name)
        if name.slot is None:
            raise BadInput(
                "The slot of a release is production",
                expected="a slot beside it, such as staging",
                found=repr(self.slot_name),
                do="correct slot_name",
            )
        return name

    @property
    def production(self) -> SlotName:
        """The production slot."""
        return slot_name(self.resource_group, self.app_name, None)

    @cached_property
    def azure(self) -> AzureHook:
        """The azure connection."""
        return AzureHook(self.azure_conn_id)

    @cached_property
    def apps(self) -> FunctionAppHook:
        """What is done to function apps."""
        return FunctionAppHook(self.azure)

    @cached_property
    def store(self) -> ReleaseStore:
        """The release store."""
        return ReleaseStoreHook(self.storage_conn_id).get_conn()

    @property
    def app_key(self) -> str:
        """The app's key in the store."""
        return app_key(self.azure.account.subscription_id, self.resource_group, self.app_name)

    # --- who ------------------------------------------------------------------------------------------------------

    def release_id(self, context: Context) -> str:
        """The id of this release, as the lock task gave it."""
        return str(self._locked(context)["release_id"])

    def held_lock(self, context: Context) -> Lock:
        """The lock that this run took."""
        return Lock.from_json(self._locked(context)["lock"])

    def _locked(self, context: Context) -> Any:
        locked = self.result_of(context, LOCK_TASK)
        if not locked:
            raise BadInput(
                "This task runs without the app's lock",
                expected=f"a result of task {LOCK_TASK!r} in this run",
                found="none",
                do="clear the lock task too, or start the release again",
            )
        return locked

    def result_of(self, context: Context, task_id: str) -> Any:
        """What an earlier task of this run returned, or None (skipped, or not there)."""
        return context["ti"].xcom_pull(task_ids=task_id)

    def reason_of(self, context: Context, task_id: str) -> str | None:
        """The reason that a task which failed or skipped has left, or None."""
        reason = context["ti"].xcom_pull(task_ids=task_id, key=REASON)
        return str(reason) if reason else None
