"""How busy this process is: its event loop and its pool of connections, sampled once a second."""

import asyncio
from typing import Never

from chassis.metrics import CONNECTION_REQUESTS, CONNECTIONS, CONNECTIONS_MAX, EVENT_LOOP_LAG
from chassis.pool import Pool

_INTERVAL_SECONDS = 1


async def sample(pool: Pool) -> Never:
    """Writes the metrics until it is cancelled.

    The lag is how much later than asked the loop came back to this task: what every request waits for, too.
    """
    loop = asyncio.get_running_loop()
    while True:
        CONNECTIONS.labels("used").set(pool.size - pool.idle)
        CONNECTIONS.labels("idle").set(pool.idle)
        CONNECTIONS_MAX.set(pool.max_size)
        CONNECTION_REQUESTS.set(pool.waiting)
        due = loop.time() + _INTERVAL_SECONDS
        await asyncio.sleep(_INTERVAL_SECONDS)
        EVENT_LOOP_LAG.set(max(0, loop.time() - due))
