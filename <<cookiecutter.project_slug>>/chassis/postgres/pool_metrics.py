"""Metrics of the connection pools."""

import asyncio
from typing import Never

from chassis.postgres.pool import Pool
from chassis.telemetry.metrics import CONNECTION_REQUESTS, CONNECTIONS, CONNECTIONS_MAX, STREAM_CONNECTIONS

_INTERVAL_SECONDS = 1


async def measure_pool(pool: Pool) -> Never:
    """Update the gauges once a second, until cancelled."""
    CONNECTIONS_MAX.set(pool.max_size)
    while True:
        CONNECTIONS.labels("used").set(pool.size - pool.idle)
        CONNECTIONS.labels("idle").set(pool.idle)
        CONNECTION_REQUESTS.set(pool.waiting)
        STREAM_CONNECTIONS.set(pool.streams.size - pool.streams.idle)
        await asyncio.sleep(_INTERVAL_SECONDS)
