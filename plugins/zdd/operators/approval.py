"""Ask a person, where the release says so: before the wait for production, and before anything is terminated."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.exceptions import HITLRejectException
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from zdd.exceptions import BadInput
from zdd.operators.base import as_bool, leave_reason

if TYPE_CHECKING:
    from airflow.sdk import Context

NOT_ASKED = ("No approval is asked for here",)


class ReleaseApprovalOperator(ApprovalOperator):
    """An approval that is asked for only when `needed` renders to true, and skipped otherwise.

    A rejection ends the release and is not retried: a retry would ask again until somebody says yes.
    """

    template_fields: Collection[str] = (*ApprovalOperator.template_fields, "needed")
    ui_color = "#0078d4"
    ui_fgcolor = "#ffffff"

    def __init__(self, *, needed: bool | str, **kwargs: Any) -> None:
        super().__init__(fail_on_reject=True, **kwargs)
        self.needed = needed

    def execute(self, context: Context) -> Any:
        """Skip, or park until somebody answers."""
        try:
            needed = as_bool("approval", self.needed)
        except BadInput as error:
            raise AirflowFailException(str(error)) from error
        if not needed:
            raise AirflowSkipException(NOT_ASKED[0])
        self.log.info("Waiting for a person: %s", self.subject)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on when approved."""
        try:
            answer = super().execute_complete(context, event)
        except HITLRejectException as error:
            reason = f"Rejected by a person: {self.subject}"
            leave_reason(context, reason)
            raise AirflowFailException(reason) from error
        self.log.info("Approved by %s", (event.get("responded_by_user") or {}).get("name", "a person"))
        return {"approved": True, "by": (answer.get("responded_by_user") or {}).get("name")}
