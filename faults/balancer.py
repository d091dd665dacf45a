"""A balancer as a client meets it: whoever opens a connection gets an instance that says it is ready."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

from faults.processes import PATIENCE_SECONDS, POLL_SECONDS
from faults.service import Service

_POLL_SECONDS = 0.1


class Balancer:
    """Follows the readiness of instances. It passes connections, not requests, so it has none to send again."""

    def __init__(self, instances: Sequence[Service]) -> None:
        self._instances = instances
        self._ready = list(instances)
        self._turn = count()

    def port(self) -> int:
        """The port for the next connection: the ready instances take turns."""
        ready = self._ready or self._instances
        return ready[next(self._turn) % len(ready)].port

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Asks the instances again and again while the block runs."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()

    async def _follow(self) -> None:
        while True:
            answers = await asyncio.gather(*(each.is_ready() for each in self._instances))
            self._ready = [each for each, ready in zip(self._instances, answers, strict=True) if ready]
            await asyncio.sleep(_POLL_SECONDS)

    async def until_sent_to(self, instance: Service) -> None:
        """Returns when new connections go to an instance."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while instance not in self._ready:
                await asyncio.sleep(POLL_SECONDS)
