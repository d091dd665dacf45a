"""Event loop lag: how late the event loop runs a scheduled callback. The lag delays every request."""

import asyncio
from typing import Never

from chassis.telemetry.metrics import EVENT_LOOP_LAG

_INTERVAL_SECONDS = 1


async def measure_event_loop_lag() -> Never:
    """Update the metric once a second, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _INTERVAL_SECONDS
        await asyncio.sleep(_INTERVAL_SECONDS)
        EVENT_LOOP_LAG.set(max(0, loop.time() - due))
