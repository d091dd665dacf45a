"""A FIFO semaphore whose waiters time out."""

import asyncio

from chassis.concurrency.deadline import Deadline
from chassis.errors import OverloadedError


class FifoSemaphore:
    """A semaphore that is acquired in the order of arrival, or not at all.

    Args:
        permits: how many callers may hold it at a time.
        wait_timeout_seconds: how long a caller waits for a permit.

    Attributes:
        waiting: callers that wait for a permit.
    """

    def __init__(self, permits: int, wait_timeout_seconds: float) -> None:
        self._semaphore = asyncio.Semaphore(permits)
        self._wait = Deadline(wait_timeout_seconds, OverloadedError)
        self.waiting = 0

    async def acquire(self) -> None:
        """Acquire a permit; the caller has to release it.

        Raises:
            OverloadedError: no permit became free in time.
        """
        if not self._semaphore.locked():
            await self._semaphore.acquire()
            return
        self.waiting += 1
        try:
            with self._wait:
                await self._semaphore.acquire()
        finally:
            self.waiting -= 1

    def release(self) -> None:
        """Release a permit to the caller that has waited longest."""
        self._semaphore.release()
