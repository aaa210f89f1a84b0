"""How one local Azure runs: every command-line option, read in this one place."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_CLIENT_ID = "zdd"
DEFAULT_CLIENT_SECRET = "zdd-local"
DEFAULT_TENANT_ID = "00000000-0000-0000-0000-00000000c10d"
DEFAULT_SUBSCRIPTION_ID = "00000000-0000-0000-0000-000000005b01"
DEFAULT_RESOURCE_GROUP = "local"
DEFAULT_LOCATION = "westeurope"


@dataclass(frozen=True)
class Timing:
    """Durations in seconds. The defaults make a swap last 2 to 4 s, which on Azure lasts one to some minutes."""

    phase: float = 0.4
    """A phase of a swap lasts at least so long, so that a poller sees it running."""
    host_start: float = 60.0
    """A Functions host that has not answered for so long has failed to start."""
    warm_up_request: float = 90.0
    warm_up_tries: int = 5
    hold: float = 230.0
    """So long a request waits for a host that starts; App Service's front end gives up after 230 s, too."""
    drain: float = 30.0
    """So long requests in flight may take before their process is stopped all the same."""
    stop: float = 8.0
    """So long a host may take to stop politely before it is killed."""
    deployment_step: float = 0.2
    """A step of a deployment lasts at least so long."""
    retry_after: int = 1
    """What Retry-After says to who polls an operation (seconds, whole)."""
    token_lifetime: int = 3600


@dataclass(frozen=True)
class Settings:
    """One local Azure: where it listens, where its state lives, who may call it."""

    state: Path
    host: str = "127.0.0.1"
    port: int = 0
    advertise_host: str | None = None
    slot_ports: tuple[int, int] | None = None
    principals: dict[str, str] = field(default_factory=lambda: {DEFAULT_CLIENT_ID: DEFAULT_CLIENT_SECRET}, repr=False)
    resource_groups: tuple[str, ...] = (DEFAULT_RESOURCE_GROUP,)
    subscription_id: str = DEFAULT_SUBSCRIPTION_ID
    location: str = DEFAULT_LOCATION
    host_command: tuple[str, ...] = (sys.executable, "-m", "local_azure.functions_host")
    timing: Timing = field(default_factory=Timing)

    @property
    def public_host(self) -> str:
        """The host name under which clients reach the slots' ports."""
        return self.advertise_host or ("127.0.0.1" if self.host == "0.0.0.0" else self.host)


def _listen(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError(f"expected HOST:PORT, found {text!r}")
    return host, int(port)


def _port_range(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not (dash and first.isdigit() and last.isdigit() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError(f"expected FIRST-LAST, found {text!r}")
    return int(first), int(last)


def _principal(text: str) -> tuple[str, str]:
    client_id, colon, secret = text.partition(":")
    if not (colon and client_id and secret):
        raise argparse.ArgumentTypeError("expected CLIENT_ID:SECRET")
    return client_id, secret


def parse(arguments: list[str] | None = None) -> Settings:
    """Read the command line; argparse ends the process with a message on a wrong one."""
    parser = argparse.ArgumentParser(
        prog="python -m local_azure",
        description="A stand-in for Azure: Resource Manager, token endpoint, deployment endpoint, Functions hosts.",
    )
    add = parser.add_argument
    add("--listen", type=_listen, default=("127.0.0.1", 8900), metavar="HOST:PORT", help="Resource Manager and tokens")
    add("--state", type=Path, required=True, metavar="DIR", help="where sites, settings and packages are kept")
    add("--advertise-host", metavar="NAME", help="host name in the sites' addresses (default: that of --listen)")
    add("--slot-ports", type=_port_range, metavar="A-B", help="ports for the slots (default: any free ones)")
    add("--principal", type=_principal, action="append", metavar="ID:SECRET", help="who may get a token; repeatable")
    add("--resource-group", action="append", metavar="NAME", help="made at the start if missing; repeatable")
    add("--subscription", default=DEFAULT_SUBSCRIPTION_ID, help="subscription of those resource groups")
    add("--phase-seconds", type=float, default=Timing.phase, help="least duration of a phase of a swap")
    add("--deployment-step-seconds", type=float, default=Timing.deployment_step, help="… of a step of a deployment")
    add("--host-start-seconds", type=float, default=Timing.host_start, help="how long a host may take to start")
    add("--warm-up-seconds", type=float, default=Timing.warm_up_request, help="time limit of a warm-up request")
    add("--drain-seconds", type=float, default=Timing.drain, help="how long requests in flight may take at a stop")
    add("--token-seconds", type=int, default=Timing.token_lifetime, help="life of a token")
    add("--host-command", metavar="COMMAND", help="command line of a Functions host (for tests of local Azure)")
    found = parser.parse_args(arguments)
    host, port = found.listen
    return Settings(
        state=found.state.resolve(),
        host=host,
        port=port,
        advertise_host=found.advertise_host,
        slot_ports=found.slot_ports,
        principals=dict(found.principal or [(DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)]),
        resource_groups=tuple(found.resource_group or [DEFAULT_RESOURCE_GROUP]),
        subscription_id=found.subscription,
        host_command=tuple(shlex.split(found.host_command)) if found.host_command else Settings.host_command,
        timing=Timing(
            phase=found.phase_seconds,
            deployment_step=found.deployment_step_seconds,
            host_start=found.host_start_seconds,
            warm_up_request=found.warm_up_seconds,
            drain=found.drain_seconds,
            token_lifetime=found.token_seconds,
        ),
    )
