"""So many at a time, first come, first served, and nobody waits for long."""

import asyncio

from chassis.deadline import Deadline
from chassis.errors import OverloadedError


class Turns:
    """Turns at something that so many can use at a time.

    Args:
        at_a_time: how many.
        longest_wait_seconds: for a turn. What arrives together is answered one after the other within it.

    Attributes:
        waiting: those whose turn is to come.
    """

    def __init__(self, at_a_time: int, longest_wait_seconds: float) -> None:
        self._free = asyncio.Semaphore(at_a_time)
        self._wait = Deadline(longest_wait_seconds, OverloadedError)
        self.waiting = 0

    async def take(self) -> None:
        """Returns when it is the caller's turn, which ends with `give_back`.

        Raises:
            OverloadedError: it did not come in time.
        """
        if not self._free.locked():
            await self._free.acquire()
            return
        self.waiting += 1
        try:
            with self._wait:
                await self._free.acquire()
        finally:
            self.waiting -= 1

    def give_back(self) -> None:
        """The turn is over, and the next one's begins."""
        self._free.release()
