"""`python -m local_azure.functions_host --content DIR_OR_ZIP --listen HOST:PORT`: the host process of one slot.

App settings and connection strings are the environment. One line on stdout, `listening on HOST:PORT`, says that HTTP
answers; the host may still be starting then. SIGTERM stops it politely.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

GRACE_SECONDS = 3
STOP_SECONDS = 4.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal says stop."""
    parser = argparse.ArgumentParser(prog="python -m local_azure.functions_host", description=__doc__)
    parser.add_argument("--content", type=Path, required=True, help="folder or zip package of the app")
    parser.add_argument("--listen", default="127.0.0.1:0", help="HOST:PORT; port 0 takes a free one")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    host_name, _, port = options.listen.rpartition(":")
    asyncio.run(_serve(options.content.resolve(), _bind(host_name or "127.0.0.1", int(port))))
    return 0


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener


async def _serve(content: Path, public: socket.socket) -> None:
    from .host import Host
    from .http import RPC_PATH, public_app, rpc_app
    from .server import HttpServer

    host = Host(content, os.environ)
    internal = _bind("127.0.0.1", 0)
    address = "{}:{}".format(*public.getsockname()[:2])
    host.listen_address = address
    host.rpc_base_url = "http://{}:{}".format(*internal.getsockname()[:2]) + RPC_PATH
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    front, rpc = HttpServer(public_app(host), public, GRACE_SECONDS), HttpServer(rpc_app(host), internal, 1)
    await rpc.start()
    await front.start()
    sys.stdout.write(f"listening on {address}\n")
    sys.stdout.flush()
    starting = asyncio.create_task(host.start())
    await stop.wait()
    starting.cancel()
    # Requests that run may still start orchestrations, so the RPC endpoint and the hub outlive them.
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await asyncio.gather(front.stop(), host.stop_work())
            await host.close()
    # Activities that still run are abandoned with their threads, as a real restart abandons them.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
