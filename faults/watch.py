"""Polls /livez during a fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from harness.service import Service

_EVERY_SECONDS = 0.05


@dataclass
class Liveness:
    """The number of requests to /livez, and how many of them did not return 200."""

    asked: int = 0
    failed: int = 0


@asynccontextmanager
async def liveness(service: Service) -> AsyncIterator[Liveness]:
    """Poll /livez while the block runs."""
    found = Liveness()

    async def ask() -> None:
        while True:
            alive = await service.is_alive()
            found.asked += 1
            found.failed += not alive
            await asyncio.sleep(_EVERY_SECONDS)

    task = asyncio.create_task(ask())
    try:
        yield found
    finally:
        task.cancel()
