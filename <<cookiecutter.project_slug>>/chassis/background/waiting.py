"""Waiting between runs."""

import asyncio
import random

from chassis.background.timing import Timing


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event, and return whether it is set before the time is over."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def about(seconds: float) -> float:
    """Return the seconds, give or take a tenth."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311  (no secret)


class Backoff:
    """Pauses after failures: they double up to a bound, with jitter."""

    def __init__(self, timing: Timing) -> None:
        self._first, self._longest = timing.first_retry, timing.longest_retry
        self.reset()

    def reset(self) -> None:
        """Begin with the first pause again."""
        self._next = self._first

    def pause(self) -> float:
        """Return the next pause: from one half of its length to all of it."""
        length, self._next = self._next, min(2 * self._next, self._longest)
        return length * random.uniform(0.5, 1)  # noqa: S311  (no secret)
