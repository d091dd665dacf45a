"""Promise 2: without a database the service starts and waits, and it becomes ready when the database is available."""

import asyncio
import time
from functools import partial
from itertools import pairwise

from faults.bench import SLACK_SECONDS, Bench, Scenario
from faults.commands import APP, GUNICORN
from harness.row import Row

_READY_SECONDS = 1  # the promised limit
_LEAST_ATTEMPTS = 2


async def database_away(bench: Bench, *, command: tuple[str, ...] = APP) -> Row:
    """Starts the service while the database is away."""
    away_seconds = bench.count(60, 8)
    database = await bench.postgres()
    proxy = await bench.proxy(database.url)  # counts the connection attempts
    await database.kill()
    service = bench.service(proxy.url, command)
    await service.start()
    bench.status = "the database is away"
    await service.until_alive()
    attempts, dead, ready, end = proxy.attempts, 0, 0, time.perf_counter() + away_seconds
    while time.perf_counter() < end:
        dead += not await service.is_alive()
        ready += await service.is_ready()
        await asyncio.sleep(0.05)
    gaps = [later - earlier for earlier, later in pairwise(attempts)]
    await database.start()
    back = time.perf_counter()
    await service.until_ready()
    recovery = time.perf_counter() - back
    row = Row(
        f"the database away for {away_seconds} s at the start{', Gunicorn' if command == GUNICORN else ''}",
        recovery_seconds=recovery,
        measured=f"{len(attempts)} attempts, {min(gaps, default=0):.2f} to {max(gaps, default=0):.2f} s apart",
        promise=f"alive, unready, retrying with backoff, ready {_READY_SECONDS} s after its return",
    )
    row.hold(dead == 0, f"not alive {dead} times")
    row.hold(ready == 0, f"ready {ready} times without a database")
    row.hold(len(attempts) >= _LEAST_ATTEMPTS, f"{len(attempts)} attempts to connect")
    row.hold(max(gaps, default=0) > 2 * min(gaps, default=0), "no backoff between the attempts")
    row.hold(recovery <= _READY_SECONDS + SLACK_SECONDS, f"ready after {recovery:.2f} s")
    return row


SCENARIOS: dict[str, Scenario] = {
    "starting.database-away": database_away,
    "starting.database-away-gunicorn": partial(database_away, command=GUNICORN),
}
