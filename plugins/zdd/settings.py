"""Every setting that zdd reads from Airflow's configuration (section `[zdd]`, or `AIRFLOW__ZDD__…`), in one place."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk.configuration import conf

SECTION = "zdd"
AZURE_CONN_ID = "azure_default"
STORAGE_CONN_ID = "zdd_storage"
# People swap by hand while a sensor waits, so a binding older than this is read again (docs/drain-verdict.md).
BINDING_MAX_AGE = timedelta(minutes=10)
# A quiet window breaks when two polls are more than 30 s apart; the rest is for the reading itself.
MAX_POLL_SECONDS = 25


def arm_poll_seconds() -> int:
    """Seconds between two looks at a long-running operation or a deployment (`arm_poll_seconds`, default 5)."""
    return int(conf.getint(SECTION, "arm_poll_seconds", fallback=5))


def verify_timeout() -> timedelta:
    """How long a slot may take to come up after a deployment or a swap (`verify_timeout_seconds`, default 10 min)."""
    return timedelta(seconds=conf.getint(SECTION, "verify_timeout_seconds", fallback=600))


def deployment_timeout() -> timedelta:
    """How long one deployment or one swap may take (`deployment_timeout_seconds`, default 30 min)."""
    return timedelta(seconds=conf.getint(SECTION, "deployment_timeout_seconds", fallback=1800))


def approval_timeout() -> timedelta:
    """How long a release waits for a person (`approval_timeout_hours`, default 24 h)."""
    return timedelta(hours=conf.getint(SECTION, "approval_timeout_hours", fallback=24))


def retry_delay() -> timedelta:
    """Pause before a failed task is tried again (`retry_delay_seconds`, default 20 s)."""
    return timedelta(seconds=conf.getint(SECTION, "retry_delay_seconds", fallback=20))


def nightly_schedule() -> str:
    """Cron expression of `nightly_release` (`nightly_schedule`, default every hour; the window decides)."""
    return str(conf.get(SECTION, "nightly_schedule", fallback="5 * * * *"))


def nightly_app() -> tuple[str, str] | None:
    """Resource group and app that `nightly_release` releases by itself, or None: then it runs by hand only."""
    group = conf.get(SECTION, "nightly_resource_group", fallback="")
    app = conf.get(SECTION, "nightly_app_name", fallback="")
    return (str(group), str(app)) if group and app else None
