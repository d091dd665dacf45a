"""A load balancer for clients: each new connection goes to an instance that reports to be ready."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

from harness.service import Service
from harness.waiting import until

_POLL_SECONDS = 0.1


class Balancer:
    """Tracks which instances are ready. It forwards connections, not requests, so it never retries a request."""

    def __init__(self, instances: Sequence[Service]) -> None:
        self._instances = instances
        self._ready = list(instances)
        self._turn = count()

    def port(self) -> int:
        """The port for the next connection. Ready instances take turns."""
        ready = self._ready or self._instances
        return ready[next(self._turn) % len(ready)].port

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Poll the instances while the block runs."""
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
        """Wait until new connections go to an instance."""

        async def is_ready() -> bool:
            return instance in self._ready

        await until(is_ready, "the balancer sends connections to the instance")
