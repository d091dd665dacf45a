"""Waits for other processes by polling, because they have no event to await."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE_SECONDS = 60
"""Timeout for events that should always happen."""
POLL_SECONDS = 0.01
"""Interval for polling another process."""


async def until(
    holds: Callable[[], Awaitable[bool]],
    what: str,
    seconds: float = PATIENCE_SECONDS,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Poll until a condition holds.

    Args:
        what: the condition in words, for the error.

    Raises:
        TimeoutError: the condition did not hold in time.
    """
    try:
        async with asyncio.timeout(seconds):
            while not await holds():
                await asyncio.sleep(poll_seconds)
    except TimeoutError:
        raise TimeoutError(f"{what}: not within {seconds:g} s") from None
