"""The end of the demo: tables for a person, and one last line for a machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from demo.audit import IN_FLIGHT, Audit
from demo.cloud import HUB_OF
from demo.release import Outcome
from demo.traffic import Kind, Ledger, Placed, Traffic

LEAST_REQUESTS, LEAST_INSTANCES, LEAST_IN_STAGING, LEAST_LATE = 500, 50, 10, 5


@dataclass(frozen=True)
class Result:
    """All that the demo has counted."""

    ledger: Ledger
    audit: Audit
    release: Outcome
    in_staging_at_the_start: int
    late: tuple[Placed, ...]
    """Orders that were started after the last verdict and before the switch."""

    @property
    def last_line(self) -> str:
        """The line that ends the demo."""
        how = "succeeded in" if self.release.succeeded else "failed after"
        return (
            f"demo: {self.ledger.total} requests, {len(self.ledger.failures)} failed; "
            f"{len(self.audit.orders)} instances, {len(self.audit.broken)} broken; "
            f"release {how} {self.release.seconds:.0f} s"
        )

    @property
    def too_little(self) -> list[str]:
        """What was too little for the demo to show what it is to show."""
        wanted = {
            "requests": (self.ledger.total, LEAST_REQUESTS),
            "instances": (len(self.audit.orders), LEAST_INSTANCES),
            "instances running in staging when the release began": (self.in_staging_at_the_start, LEAST_IN_STAGING),
            "instances started between the last verdict and the switch": (len(self.late), LEAST_LATE),
        }
        return [f"{what}: {found}, at least {least} wanted" for what, (found, least) in wanted.items() if found < least]

    @property
    def exit_code(self) -> int:
        """0 only when nothing failed, nothing broke, the release succeeded and enough was going on."""
        return int(bool(self.ledger.failures or self.audit.broken or self.too_little or not self.release.succeeded))


def late_orders(placed: Iterable[Placed], found: Audit, outcome: Outcome) -> tuple[Placed, ...]:
    """Return the orders that the old version took in production after the release's last verdict.

    Whether one is late is read from storage: its row came into being after the verdict, in the hub that production
    had before the switch (the app's answer to its customer named it).
    """
    if outcome.verdict_at is None:
        return ()
    rows = {one.instance_id: one for one in found.orders}
    old_hub = HUB_OF[None]
    return tuple(
        one
        for one in placed
        if one.hub == old_hub
        and one.instance_id in rows
        and rows[one.instance_id].hub == old_hub
        and rows[one.instance_id].created > outcome.verdict_at
    )


def show_so_far(traffic: Traffic, found: Audit, release: Outcome, console: Console, links: Mapping[str, str]) -> None:
    """Print a release and the counts in the middle of the traffic; orders that still run are no fault yet."""
    console.print()
    running = sum(1 for one in found.orders if one.status in IN_FLIGHT)
    broken = [line for line in found.broken if not line.endswith(tuple(f"still {status}" for status in IN_FLIGHT))]
    console.print(_requests(traffic.ledger))
    console.print(_release(release))
    console.print(f"{len(found.orders)} orders, {running} of them still running, {len(broken)} broken")
    for line in broken[:10]:
        console.print(f"broken: {line}", style="red")
    for name, link in links.items():
        console.print(f"{name}: {link}")


def show(result: Result, console: Console, links: dict[str, str]) -> None:
    """Print the tables; the last line is the caller's to print."""
    console.print()
    console.print(_requests(result.ledger))
    console.print(_instances(result.audit))
    console.print(_release(result.release))
    console.print(
        f"{result.in_staging_at_the_start} instances of the earlier version ran in staging when the release began; "
        f"{len(result.late)} were started between the last verdict and the switch."
    )
    for line in stragglers(result.late):
        console.print(line)
    for failure in result.ledger.failures[:10]:
        console.print(f"failed {failure.kind} at {failure.at:%H:%M:%S}: {failure.what}", style="red")
    for line in result.audit.broken[:10]:
        console.print(f"broken: {line}", style="red")
    for line in result.too_little:
        console.print(f"too little to show: {line}", style="yellow")
    for name, link in links.items():
        console.print(f"{name}: {link}")
    console.print()


def stragglers(late: tuple[Placed, ...]) -> list[str]:
    """Say how follow-up calls reach instances that go on in staging after the swap (promise S5)."""
    if not late:
        return []
    one = late[0]
    place = urlsplit(one.status_url)
    ends = ", ".join(f"{count} {status}" for status, count in sorted(Counter(each.status for each in late).items()))
    return [
        f"  They go on in staging with their own code ({one.edition}) and hub ({one.hub}); polls and approvals still "
        "reach them through production,",
        f"  e.g. {place.scheme}://{place.netloc}{place.path}?taskHub={one.hub}&connection=…: {ends}.",
    ]


def _requests(ledger: Ledger) -> Table:
    table = Table(title=f"Requests (slowest {ledger.slowest_seconds:.1f} s, none retried)", title_justify="left")
    for heading in ("kind", "made", "failed"):
        table.add_column(heading, justify="left" if heading == "kind" else "right")
    failed = Counter(failure.kind for failure in ledger.failures)
    for kind in Kind:
        table.add_row(kind, str(ledger.counts[kind]), str(failed[kind]))
    return table


def _instances(audit: Audit) -> Table:
    table = Table(title="Instances, read from storage", title_justify="left")
    for heading in ("hub", "taken by edition", "status", "orders", "broken"):
        table.add_column(heading, justify="right" if heading in {"orders", "broken"} else "left")
    broken = Counter((one.hub, one.edition, one.status) for one in audit.orders if one.fault)
    for key, count in sorted(audit.by_hub_and_edition().items()):
        table.add_row(*key, str(count), str(broken[key]))
    table.caption = (
        f"and {len(audit.children)} shipping sub-orchestrations, {sum(1 for c in audit.children if c.fault)} broken"
    )
    return table


def _release(release: Outcome) -> Table:
    table = Table(title="Release", title_justify="left")
    table.add_column("task", no_wrap=True)
    table.add_column("state")
    table.add_column("seconds", justify="right")
    table.add_column("what it said", overflow="fold")
    skipped = [step.name for step in release.steps if step.state == "skipped"]
    if skipped:
        table.caption = f"not needed: {', '.join(skipped)}"
    for step in release.steps:
        if step.state == "skipped":
            continue
        seconds = "" if step.seconds is None else f"{step.seconds:.1f}"
        table.add_row(step.name, step.state, seconds, step.said)
    return table
