"""The example as a real process."""

import asyncio
import sys
from functools import partial

import aiohttp

from chassis.testing.processes import PATIENCE_SECONDS, ServiceProcess, service_process

EXAMPLE = (sys.executable, "-m", "tests.chassis.example")

example_process = partial(service_process, command=EXAMPLE)


async def until_in_flight(service: ServiceProcess, client: aiohttp.ClientSession) -> None:
    """Wait until a request is in flight."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "http_server_active_requests 0.0" in await (await client.get(f"{service.internal}/metrics")).text():
            await asyncio.sleep(0.02)
