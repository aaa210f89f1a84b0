"""Choose what the nightly release brings: the package that is queued, if the window is open and it is not live."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowSkipException

from zdd.core.package import inspect_package
from zdd.core.release import ReleaseState, is_live
from zdd.core.windows import parse_window
from zdd.exceptions import BadInput
from zdd.hooks.packages import open_package
from zdd.hooks.release_store import utcnow
from zdd.operators.base import ReleaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

NOTHING = "nothing to release"


def variable_name(app_name: str) -> str:
    """Airflow Variable that names the next package of an app."""
    return f"zdd_next_{app_name}"


def parse_next(text: str, name: str) -> tuple[str, str]:
    """Package and version out of the Variable's JSON. Raises BadInput that shows the form."""
    form = '{"package": "wasb://packages/orders-1.4.0.zip", "version": "1.4.0"}'
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("package", "version")):
        raise BadInput(
            f"Variable {name} does not name a package", expected=form, found=repr(text[:100]), do="correct it"
        )
    return value["package"].strip(), value["version"].strip()


class ChoosePackageOperator(ReleaseOperator):
    """First task of the nightly release. Skips the run, with the reason, when there is nothing to do.

    :param window_from: `HH:MM` by the clock of `time_zone`, when releases may begin.
    :param window_to: `HH:MM`, when waits end; over midnight when it is the earlier one.
    """

    template_fields: Sequence[str] = (*ReleaseOperator.template_fields, "window_from", "window_to", "time_zone")

    def __init__(self, *, window_from: str, window_to: str, time_zone: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.window_from = window_from
        self.window_to = window_to
        self.time_zone = time_zone

    def act(self, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """Choose, or skip."""
        window = parse_window(self.window_from, self.window_to, self.time_zone)
        now = self.now()
        closes = window.closes_at(now)
        if closes is None:
            opens = window.next_opening(now).isoformat(timespec="minutes")
            raise AirflowSkipException(f"outside the release window {window}: it opens at {opens}")
        name = variable_name(self.app_name)
        text = Variable.get(name, default=None)
        if not text:
            raise AirflowSkipException(f"{NOTHING}: Variable {name} is not set")
        package, version = parse_next(str(text), name)
        with open_package(package, storage_conn_id=self.storage_conn_id) as path:
            sha256 = inspect_package(path).sha256
        if is_live(self.apps.marker(self.production), sha256=sha256):
            raise AirflowSkipException(f"{NOTHING}: version {version} of {self.app_name} is live already")
        for earlier in self.store.releases(self.app_key):
            if earlier.get("State") == ReleaseState.ROLLED_BACK and earlier.get("PackageSha256") == sha256:
                raise AirflowSkipException(
                    f"{NOTHING}: version {version} was rolled back in release {earlier.get('ReleaseId')}; "
                    "a package that failed is not tried again by itself"
                )
        self.log.info(
            "Next for %s: version %s (%s), window %s closes at %s",
            self.app_name,
            version,
            package,
            window,
            closes.isoformat(timespec="minutes"),
        )
        return {"package": package, "version": version, "window_end": closes.isoformat()}

    def now(self) -> datetime:
        """The moment that is judged (a seam for tests)."""
        return utcnow()
