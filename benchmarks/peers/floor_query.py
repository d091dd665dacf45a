"""The minimal cost of the query of a GET: only asyncpg, on open connections, on uvloop, without HTTP.

`python -m benchmarks.peers.floor_query SECONDS CONNECTIONS` loads itself. A line on standard input starts the load. The
program prints `ready` after its warm-up, and later its measurement as JSON: seconds, cpu_seconds, and a histogram
with the upper ends of steps of 100 µs.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import asyncpg
import uvloop

from benchmarks.peers.statements import READ

WARM_UP_SECONDS = 0.5


async def main(seconds: float, count: int) -> None:
    connections = [await asyncpg.connect(os.environ["DATABASE_URL"]) for _ in range(count)]
    ids = [row["id"] for row in await connections[0].fetch("SELECT id FROM items ORDER BY id LIMIT 1000")]
    await asyncio.gather(*(ask(each, ids, WARM_UP_SECONDS, Counter()) for each in connections))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    histogram = Counter[int]()
    begun, used = time.perf_counter(), time.process_time()
    await asyncio.gather(*(ask(each, ids, seconds, histogram) for each in connections))
    measured = {"seconds": time.perf_counter() - begun, "cpu_seconds": time.process_time() - used}
    sys.stdout.write(json.dumps(measured | {"histogram": histogram}) + "\n")
    sys.stdout.flush()


async def ask(connection: Any, ids: Sequence[int], seconds: float, histogram: Counter[int]) -> None:
    """Run the query on one connection repeatedly."""
    now = time.perf_counter()
    end = now + seconds
    while now < end:
        begun = now
        await connection.fetchrow(READ, random.choice(ids))
        now = time.perf_counter()
        histogram[(int((now - begun) * 1e4) + 1) * 100] += 1


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]), int(sys.argv[2])))
