"""Metrics of the connection pools."""

import asyncio
from typing import Never
from urllib.parse import urlsplit

from chassis.postgres.pool import Pool
from chassis.postgres.replica import Replica
from chassis.telemetry.metrics import (
    CONNECTION_REQUESTS,
    CONNECTIONS,
    CONNECTIONS_MAX,
    REPLICA_CONNECTIONS,
    REPLICA_LAG,
    REPLICA_USABLE,
    STREAM_CONNECTIONS,
)

_INTERVAL_SECONDS = 1


async def measure_pool(pool: Pool) -> Never:
    """Update the gauges once a second, until cancelled."""
    CONNECTIONS_MAX.set(pool.max_size)
    while True:
        CONNECTIONS.labels("used").set(pool.size - pool.idle)
        CONNECTIONS.labels("idle").set(pool.idle)
        CONNECTION_REQUESTS.set(pool.waiting)
        STREAM_CONNECTIONS.set(pool.streams.size - pool.streams.idle)
        if pool.read_replica:
            _measure_replica(pool.read_replica)
        await asyncio.sleep(_INTERVAL_SECONDS)


def _measure_replica(replica: Replica) -> None:
    server = urlsplit(replica.connections.address).netloc
    REPLICA_USABLE.labels(server).set(replica.state.usable)
    REPLICA_LAG.labels(server).set(replica.state.lag_seconds)
    pools = replica.connections, replica.streams
    idle = sum(pool.idle for pool in pools)
    REPLICA_CONNECTIONS.labels(server, "used").set(sum(pool.size for pool in pools) - idle)
    REPLICA_CONNECTIONS.labels(server, "idle").set(idle)
