"""A FIFO semaphore whose waiters time out."""

import asyncio
from collections import deque
from contextlib import suppress

from chassis.concurrency.deadline import Deadline
from chassis.errors import OverloadedError


class FifoSemaphore:
    """A semaphore that is acquired in the order of arrival, or not at all.

    asyncio's own takes several times the CPU: see docs/decisions/0011 of the template.

    Args:
        permits: how many callers may hold it at a time.
        wait_timeout_seconds: how long a caller waits for a permit.
    """

    def __init__(self, permits: int, wait_timeout_seconds: float) -> None:
        self._free = permits
        self._waiters = deque[asyncio.Future[None]]()  # there are none while a permit is free
        self._wait = Deadline(wait_timeout_seconds, OverloadedError)

    @property
    def waiting(self) -> int:
        """The number of callers that wait for a permit."""
        return len(self._waiters)

    async def acquire(self) -> None:
        """Acquire a permit; the caller has to release it.

        Raises:
            OverloadedError: no permit became free in time.
        """
        if self._free:
            self._free -= 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            with self._wait:
                await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self.release()  # it has the permit, and its caller does not want it any more
            else:
                with suppress(ValueError):  # `release` has passed it over
                    self._waiters.remove(waiter)
            raise

    def release(self) -> None:
        """Release a permit to the caller that has waited longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
