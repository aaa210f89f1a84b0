"""Verify that a slot runs the package that was released to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zdd import settings
from zdd.exceptions import BadInput, ReleaseFailed, ZddError
from zdd.hooks.slot_reader import SlotName
from zdd.operators.base import ReleaseOperator
from zdd.operators.package import INSPECT_TASK

if TYPE_CHECKING:
    from airflow.sdk import Context

PROBE_TIMEOUT_SECONDS = 20


class VerifySlotOperator(ReleaseOperator):
    """Waits until the host of a slot runs, lists every function of the package and answers the probe path.

    :param verify: `staging` or `production`.
    :param probe_path: optional path on the app's own host that must answer 2xx.
    """

    template_fields: Sequence[str] = (*ReleaseOperator.template_fields, "probe_path")

    def __init__(self, *, verify: str, probe_path: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.verify = verify
        self.probe_path = probe_path

    @property
    def target(self) -> SlotName:
        """The slot that is verified."""
        return self.production if self.verify == "production" else self.staging

    def act(self, context: Context) -> dict[str, Any]:
        """Look until everything is as it has to be, or the time is over."""
        path = str(self.probe_path or "").strip()
        if path and (not path.startswith("/") or "://" in path):
            raise BadInput("probe_path is no path", expected="a path such as /api/health", found=repr(path))
        expected = self.result_of(context, INSPECT_TASK) or {}
        release_id = self.release_id(context)
        started = time.monotonic()
        deadline = started + settings.verify_timeout().total_seconds()
        told: list[str] = []
        while True:
            missing = self._missing(release_id, expected, path)
            if not missing:
                break
            if missing != told:
                self.log.info("%s is not ready yet: %s", self.target.label, "; ".join(missing))
                told = missing
            if time.monotonic() > deadline:
                raise ReleaseFailed(
                    f"{self.target.label} did not come up within {settings.verify_timeout()}",
                    expected="a running host with every function of the package",
                    found="; ".join(missing),
                    do="look at the host's log; the package may need a setting that this slot has not",
                )
            self._sleep(settings.arm_poll_seconds())
        seconds = round(time.monotonic() - started, 1)
        names = expected.get("function_names") or []
        self.log.info(
            "%s runs version %s: host running, %d functions present%s (%.1f s)",
            self.target.label,
            expected.get("version"),
            len(names),
            f", {path} answers" if path else "",
            seconds,
        )
        return {"slot": self.target.label, "functions": len(names), "probe": path or None, "seconds": seconds}

    _sleep: Callable[[float], None] = staticmethod(time.sleep)

    def _missing(self, release_id: str, expected: Any, path: str) -> list[str]:
        """What is not yet as it has to be, in words. A thing that could not be read is not yet so."""
        missing = []
        try:
            marker = self.apps.marker(self.target)
            if marker is None or marker.release_id != release_id:
                missing.append(f"the slot holds {marker or 'no release of ours'}, not release {release_id}")
            status = self.apps.host_status(self.target)
            if not status.is_running:
                missing.append(f"host is {status.state} {'; '.join(status.errors)}".strip())
            absent = sorted(
                set(expected.get("function_names") or ()) - {f.name for f in self.apps.functions(self.target)}
            )
            if absent:
                missing.append(f"functions missing: {', '.join(absent[:10])}")
            if path and not missing:
                missing += self._probe(path)
        except BadInput:
            raise
        except ZddError as error:
            missing.append(str(error))
        return missing

    def _probe(self, path: str) -> list[str]:
        import httpx

        host = self.apps.site(self.target).default_host_name
        url = f"{self.azure.account.scheme}://{host}{path}"
        try:
            answer = httpx.get(url, timeout=PROBE_TIMEOUT_SECONDS)
        except httpx.HTTPError as error:
            return [f"{path} does not answer ({type(error).__name__})"]
        return [] if answer.is_success else [f"{path} answers {answer.status_code}"]
