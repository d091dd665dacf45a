"""Liveness, asked throughout a fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from faults.service import Service

_EVERY_SECONDS = 0.05


@dataclass
class Liveness:
    """How often /livez was asked, and how often it was not answered with a 200."""

    asked: int = 0
    failed: int = 0


@asynccontextmanager
async def liveness(service: Service) -> AsyncIterator[Liveness]:
    """Asks while the block runs."""
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
