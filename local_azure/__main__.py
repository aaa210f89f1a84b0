"""`python -m local_azure`: the main process, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from local_azure.cloud import Cloud
from local_azure.listeners import bind, listen
from local_azure.resource_manager import swap_run
from local_azure.resource_manager.application import ResourceManager
from local_azure.settings import Settings, parse
from local_azure.state import StateInUse


async def serve(settings: Settings) -> None:
    """Run until asked to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sock = bind(settings.host, settings.port)
    cloud = Cloud(settings)
    cloud.after_deployment = lambda site, slot: swap_run.auto_swap(cloud, site, slot)
    await cloud.start()
    swap_run.resume_all(cloud)
    listener = await listen(sock, ResourceManager(cloud))
    sys.stdout.write(f"local Azure is ready on http://{settings.public_host}:{listener.port}\n")
    sys.stdout.flush()
    await stop.wait()
    logging.getLogger("local_azure").info("stopping")
    await listener.close(grace=0.5)
    await cloud.close()


def main() -> int:
    """Read the command line and run."""
    settings = parse()
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname).1s %(message)s", datefmt="%H:%M:%S"
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(settings))
    except (StateInUse, OSError) as error:
        sys.stderr.write(f"local Azure: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
