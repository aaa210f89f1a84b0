"""The form of a release by slot: parameters with their validation and help texts, shared by the DAGs that release."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from zdd import settings

APP, GATES, CHECKS, CONNECTIONS = "1. What to release", "2. Gates and deadlines", "3. Checks", "4. Connections"
# As the platform has it: letters, digits and hyphens, none at either end.
NAME = "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$"


def app_params(resource_group: str | None = None, app_name: str | None = None) -> dict[str, Param]:
    """Which app and slot. Without defaults the form asks for them."""

    def text(default: str | None, **schema: Any) -> Param:
        return Param(default, **schema) if default else Param(**schema)

    return {
        "resource_group": text(
            resource_group,
            type="string",
            minLength=1,
            maxLength=90,
            title="Resource group",
            description="Resource group of the function app.",
            section=APP,
        ),
        "app_name": text(
            app_name,
            type="string",
            minLength=2,
            maxLength=60,
            pattern=NAME,
            title="Function app",
            description="Name of the function app, without the slot.",
            section=APP,
        ),
        "slot_name": Param(
            "staging",
            type="string",
            minLength=1,
            maxLength=19,
            pattern=NAME,
            title="Slot",
            description="The slot that is deployed to and then swapped with production.",
            section=APP,
        ),
    }


def optional_app_params() -> dict[str, Param]:
    """An app that may be left out."""
    optional: dict[str, Any] = {"type": ["string", "null"], "maxLength": 90, "section": APP}
    return {
        "resource_group": Param(
            None, title="Resource group", description="Resource group of an app to try; may be left out.", **optional
        ),
        "app_name": Param(
            None, title="Function app", description="An app whose settings are to be read; may be left out.", **optional
        ),
        "slot_name": app_params()["slot_name"],
    }


def package_params() -> dict[str, Param]:
    """Which package."""
    return {
        "package": Param(
            type="string",
            minLength=5,
            maxLength=1024,
            title="Package",
            description_md="`wasb://container/blob.zip` in package storage, or the path of a zip on the worker.",
            section=APP,
        ),
        "version": Param(
            type="string",
            minLength=1,
            maxLength=64,
            pattern=r"^[0-9A-Za-z][0-9A-Za-z.+-]*$",
            title="Version",
            description="Version of the package, such as 1.4.0. A version keeps its content for ever.",
            section=APP,
        ),
    }


def window_params() -> dict[str, Param]:
    """When releases may happen."""
    clock: dict[str, Any] = {"type": "string", "pattern": "^([01]?[0-9]|2[0-3]):[0-5][0-9]$"}
    return {
        "window_from": Param(
            "22:00",
            **clock,
            title="Window from",
            description="HH:MM: no release begins before.",
            section=GATES,
        ),
        "window_to": Param(
            "05:00",
            **clock,
            title="Window to",
            description="HH:MM: waits end then, and the run with them. Over midnight when it is the earlier time.",
            section=GATES,
        ),
        "time_zone": Param(
            "UTC",
            type="string",
            minLength=1,
            maxLength=64,
            title="Time zone",
            description="IANA name, such as Europe/Berlin; daylight saving time is followed.",
            section=GATES,
        ),
    }


def gate_params() -> dict[str, Param]:
    """When to deploy and when to swap."""
    return {
        "before_swap": Param(
            "drained",
            type="string",
            enum=["drained", "handover"],
            title="Before the swap",
            description_md="`drained`: swap only when nothing is in flight in production (proved twice). `handover`: "
            "swap at once; the old code keeps its hub and finishes in the slot. Refused unless the hubs are separate.",
            section=GATES,
        ),
        "on_drain_deadline": Param(
            "fail",
            type="string",
            enum=["fail", "handover", "terminate"],
            title="When the deadline passes",
            description_md="`fail`: end the release and name the blockers. `handover`: swap although work is in "
            "flight. `terminate`: ask a person, then end the instances that block.",
            section=GATES,
        ),
        "drain_deadline_minutes": Param(
            60,
            type="number",
            exclusiveMinimum=0,
            maximum=1440,
            title="Drain deadline (minutes)",
            description="How long each of the two waits may last at most.",
            section=GATES,
        ),
        "settle_seconds": Param(
            10,
            type="number",
            minimum=0,
            maximum=3600,
            title="Settle time (seconds)",
            description="Two proofs of zero, begun at least this far apart, open a gate.",
            section=GATES,
        ),
        "poll_seconds": Param(
            15,
            type="number",
            exclusiveMinimum=0,
            maximum=settings.MAX_POLL_SECONDS,
            title="Poll interval (seconds)",
            description="Pause between two looks at the hub. While it is busy a look costs one point read.",
            section=GATES,
        ),
        "approval": Param(
            False,
            type="boolean",
            title="Ask for approval",
            description="Wait for a person after staging has been verified and before production is waited for.",
            section=GATES,
        ),
    }


def check_params() -> dict[str, Param]:
    """What is checked, and what is accepted."""
    return {
        # The form takes an empty text for a missing value, so an optional text is null.
        "probe_path": Param(
            None,
            type=["string", "null"],
            maxLength=500,
            pattern="^/",
            title="Probe path",
            description="Path on the app's host that must answer 2xx before and after the swap, such as /api/health. "
            "Empty: not probed.",
            section=CHECKS,
        ),
        "entities": Param(
            "refuse",
            type="string",
            enum=["refuse", "accept-loss"],
            title="Entity functions",
            description="Entities keep their state in the hub that stays behind: a package with entities is refused, "
            "unless their loss is accepted.",
            section=CHECKS,
        ),
        "other_triggers": Param(
            "refuse",
            type="string",
            enum=["refuse", "accept"],
            title="Functions with other triggers",
            description="Queue, timer and other triggers run in staging too and would take production's work there.",
            section=CHECKS,
        ),
        "events_reach_staging": Param(
            False,
            type="boolean",
            title="Events reach staging",
            description="Say yes when external events still find instances that stay behind in the slot (one storage "
            "account and two hub names do that). A handover needs it.",
            section=CHECKS,
        ),
        "never_started": Param(
            "refuse",
            type="string",
            enum=["refuse", "accept"],
            title="Hub that was never started",
            description="Whether a hub of which nothing exists may count as drained although durable functions are "
            "deployed there.",
            section=CHECKS,
        ),
        "status_source": Param(
            "tables",
            type="string",
            enum=["tables", "http_api", "status_check"],
            title="Source of status",
            description_md="`tables` sees everything. The Durable HTTP API and the app's own StatusCheck function see "
            "less and are for where there is no access to the hub's storage.",
            section=CHECKS,
        ),
    }


def connection_params() -> dict[str, Param]:
    """Airflow connections."""
    return {
        "azure_conn_id": Param(
            settings.AZURE_CONN_ID,
            type="string",
            minLength=1,
            title="Azure connection",
            description="Connection of type azure: service principal or managed identity, and the subscription.",
            section=CONNECTIONS,
        ),
        "storage_conn_id": Param(
            settings.STORAGE_CONN_ID,
            type="string",
            minLength=1,
            title="Storage connection",
            description="Connection of type wasb: the account with the packages and the release store.",
            section=CONNECTIONS,
        ),
    }
