"""Inspect a package before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zdd.core.package import inspect_package
from zdd.core.release import ReleaseState, check_version_unchanged
from zdd.exceptions import BadInput
from zdd.hooks.packages import open_package
from zdd.operators.base import ReleaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

INSPECT_TASK = "inspect_package"


class InspectPackageOperator(ReleaseOperator):
    """Reads a package as data: hash, host.json, functions by trigger. Refuses what must not be deployed.

    A version that was released before keeps its content: the same version with another hash is refused (promise S8).
    """

    template_fields: Sequence[str] = (*ReleaseOperator.template_fields, "package", "version")

    def __init__(self, *, package: str, version: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.package = package
        self.version = version

    def act(self, context: Context) -> dict[str, Any]:
        """Inspect it and record what it is."""
        version = str(self.version).strip()
        if not version:
            raise BadInput("No version is named", expected="the package's version, such as 1.4.0", found="nothing")
        settings = self.apps.merged_settings(self.staging) if self.apps.exists(self.staging) else {}
        with open_package(self.package, storage_conn_id=self.storage_conn_id) as path:
            report = inspect_package(path, settings=settings)
        shipped = (ReleaseState.STARTED, ReleaseState.STOPPED)
        check_version_unchanged(
            (
                (str(earlier.get("Version", "")), str(earlier.get("PackageSha256", "")))
                for earlier in self.store.releases(self.app_key)
                # A package that never reached a slot binds nobody.
                if earlier.get("Deployed") == "True" or earlier.get("State") not in shipped
            ),
            version=version,
            sha256=report.sha256,
        )
        self.store.record_release(
            self.app_key,
            self.release_id(context),
            ReleaseState.STARTED,
            package=self.package,
            version=version,
            package_sha256=report.sha256,
        )
        for warning in (*report.warnings, *report.unknown):
            self.log.warning("%s: %s", self.package, warning)
        self.log.info(
            "Package %s (version %s, sha256 %s…): %d functions, of them orchestrators: %s",
            self.package,
            version,
            report.sha256[:12],
            len(report.functions),
            ", ".join(report.orchestrators) or "none",
        )
        return {
            **report.to_json(),
            "package": self.package,
            "version": version,
            "function_names": list(report.function_names),
        }
