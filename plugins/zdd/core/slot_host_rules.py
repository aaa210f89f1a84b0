"""Slot rules about the platform: slots and plan, state, auto swap, previews, host versions, warm-up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from zdd.core.findings import Finding, error, info, warning
from zdd.core.host_json import DEFAULT_CONNECTION
from zdd.core.release import MARKER_SETTINGS
from zdd.core.slot_case import Case
from zdd.core.storage_reference import StorageKind, read_storage, same_account

# Host ids are cut to this length; two slots of a long-named site may then share one (AZFD0004).
_HOST_ID_LENGTH = 32
_HOST_ID = "AzureFunctionsWebHost__hostid"
_KEEP_DEFAULTS = "WEBSITE_OVERRIDE_PRESERVE_DEFAULT_STICKY_SLOT_SETTINGS"


def plan(case: Case) -> Iterator[Finding]:
    """Production itself cannot be the slot that is deployed to."""
    if case.staging.is_production:
        yield error(
            "slot-is-production",
            "The slot to deploy to is production itself",
            expected="another slot",
            found=case.staging.name,
            do="set slot_name to the staging slot",
        )


def running(case: Case) -> Iterator[Finding]:
    """Both must run: a stopped slot neither drains nor can be swapped."""
    for view in case.both:
        if view.state.lower() != "running":
            yield error(
                "slot-stopped",
                f"{view.name} does not run",
                expected="Running: a stopped slot neither works off its instances nor can be swapped",
                found=view.state or "no state",
                do="start it",
            )


def auto_swap(case: Case) -> Iterator[Finding]:
    """Auto swap would swap right after the deployment, past every gate."""
    for view in case.both:
        if view.auto_swap_slot:
            yield error(
                "auto-swap",
                f"Auto swap is on in {view.name}",
                expected="auto swap off: it swaps after each deployment and passes by every gate",
                found=f"autoSwapSlotName = {view.auto_swap_slot}",
                do="turn auto swap off",
            )


def preview(case: Case) -> Iterator[Finding]:
    """A preview that nobody completed blocks every update; it is undone first."""
    for view in case.both:
        if view.preview_with:
            yield warning(
                "preview-left-over",
                f"{view.name} is prepared for a swap with {view.preview_with} that was never completed",
                found="a swap with preview",
                do="it is reset at the start of the release",
            )


def host_version(case: Case) -> Iterator[Finding]:
    """No swap across different versions of the Functions host."""
    name = "FUNCTIONS_EXTENSION_VERSION"
    one, other = (view.settings.get(name) for view in case.both)
    if (one or "").lower() != (other or "").lower():
        yield error(
            "host-version-differs",
            f"{name} differs between the slots",
            expected="the same version: such a swap fails",
            found=f"{one or 'not set'} in production, {other or 'not set'} in {case.staging.name}",
            do="set both slots to one version",
        )


def run_from_url(case: Case) -> Iterator[Finding]:
    """Zip deploy answers 409 where the package is taken from a URL."""
    value = case.staging.settings.get("WEBSITE_RUN_FROM_PACKAGE") or ""
    if value.lower().startswith(("http://", "https://")):
        yield error(
            "run-from-url",
            f"{case.staging.name} runs its package from a URL",
            expected="WEBSITE_RUN_FROM_PACKAGE 1 or not set",
            found="a URL: the deployment endpoint refuses a zip then",
            do="set WEBSITE_RUN_FROM_PACKAGE to 1",
        )


def marker_travels(case: Case) -> Iterator[Finding]:
    """The marker says which release a slot holds: sticky, it would name the wrong one after the swap."""
    names = [name for name in MARKER_SETTINGS if case.sticky.holds_setting(name, case.staging.settings)]
    if names:
        yield error(
            "sticky-marker",
            "The settings that mark a release are deployment slot settings (sticky)",
            expected="a marker that travels with the code",
            found=", ".join(names),
            do='take the tick "deployment slot setting" away from them',
        )


def warm_up(case: Case) -> Iterator[Finding]:
    """By default any answer counts as warm, a 503 too."""
    missing = [
        name
        for name in ("WEBSITE_SWAP_WARMUP_PING_PATH", "WEBSITE_SWAP_WARMUP_PING_STATUSES")
        if not case.staging.settings.get(name)
    ]
    if missing:
        yield warning(
            "warm-up",
            f"{case.staging.name} does not say when it is warm",
            expected="WEBSITE_SWAP_WARMUP_PING_PATH, and WEBSITE_SWAP_WARMUP_PING_STATUSES such as 200,202",
            found=f"{' and '.join(missing)} not set: any answer passes, a 503 too",
            do="set both, so that the platform waits for a host that works",
        )


def keys_in_files(case: Case) -> Iterator[Finding]:
    """Keys kept in files are reset by a swap."""
    for view in case.both:
        if (view.settings.get("AzureWebJobsSecretStorageType") or "").lower() == "files":
            yield warning(
                "keys-in-files",
                f"{view.name} keeps its keys in files",
                expected="keys in the shared storage account (the default)",
                found="AzureWebJobsSecretStorageType = files: a swap resets the keys",
                do="remove the setting, or tell clients that keys change",
            )


def host_ids(case: Case) -> Iterator[Finding]:
    """Long names are cut to 32 characters, and two slots with one host id disturb each other."""
    given = [view.settings.get(_HOST_ID) for view in case.both]
    if any(given) and not all(given):
        yield warning(
            "host-id",
            f"{_HOST_ID} is set in one slot only",
            expected="a host id of its own in every slot, or in none",
            found="one of two",
            do="set it in all slots, or the swap may fail on the ping",
        )
    site = case.site_name.lower()
    if not any(given) and site[:_HOST_ID_LENGTH] == f"{site}-{case.staging.name.lower()}"[:_HOST_ID_LENGTH]:
        yield warning(
            "host-id",
            "Both slots get the same host id, since names are cut to 32 characters",
            expected=f"a site name shorter than {_HOST_ID_LENGTH} characters, or host ids of their own",
            found=f"{len(case.site_name)} characters",
            do=f"set {_HOST_ID} in every slot",
        )


def default_sticky(case: Case) -> Iterator[Finding]:
    """The switch that makes the default sticky settings travel works only when it is set in every slot."""
    one, other = (view.settings.get(_KEEP_DEFAULTS) for view in case.both)
    if (one or "") != (other or ""):
        yield warning(
            "default-sticky-differs",
            f"{_KEEP_DEFAULTS} differs between the slots",
            expected="the same in every slot",
            found=f"{one or 'not set'} in production, {other or 'not set'} in {case.staging.name}",
            do="set it alike everywhere",
        )


def empty_staging(case: Case) -> Iterator[Finding]:
    """A slot that never had code needs no wait."""
    if case.staging.is_empty:
        yield info("staging-empty", f"{case.staging.name} holds no code yet", do="nothing: there is nothing to drain")


def shared_storage(case: Case) -> Iterator[Finding]:
    """AzureWebJobsStorage holds the host's keys: one account for both slots, or keys change at the swap."""
    one, other = (read_storage(view.settings, DEFAULT_CONNECTION) for view in case.both)
    for view, reference in zip(case.both, (one, other), strict=True):
        if reference.kind is StorageKind.MISSING:
            yield error(
                "storage-missing",
                f"{view.name} has no {DEFAULT_CONNECTION}",
                expected=f"{DEFAULT_CONNECTION} (or {DEFAULT_CONNECTION}__accountName) in every slot",
                found="no such setting",
                do="add it, the same account in every slot",
            )
            return
    same = same_account(one, other)
    found = f"{one.account or one.kind.value} in production, {other.account or other.kind.value} in {case.staging.name}"
    if same is False:
        yield error(
            "storage-differs",
            f"{DEFAULT_CONNECTION} differs between the slots",
            expected="one account for both: the host keeps its keys there",
            found=found,
            do=f"set {DEFAULT_CONNECTION} of both slots to one account; the hub gets a setting of its own",
        )
    elif same is None:
        yield warning(
            "storage-unknown",
            f"It cannot be told whether both slots share one {DEFAULT_CONNECTION}",
            expected="one account for both",
            found=found,
            do="check it by hand: clients' keys change at the swap otherwise",
        )


RULES: tuple[Callable[[Case], Iterator[Finding]], ...] = (
    plan,
    running,
    shared_storage,
    auto_swap,
    preview,
    host_version,
    run_from_url,
    marker_travels,
    warm_up,
    keys_in_files,
    host_ids,
    default_sticky,
    empty_staging,
)
