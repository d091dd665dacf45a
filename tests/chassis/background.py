"""A process with background work and nothing else: `python -m tests.chassis.background ADDRESS [stubborn | blocks]`.

It prints a line for each event. At SIGTERM it stops.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
import uvloop
from pydantic import SecretStr

from chassis.background.supervisor import Supervisor
from chassis.background.timing import Timing
from chassis.database import Database
from chassis.postgres.pool import Pool
from chassis.resources.injection import Injector
from chassis.service import Background, every
from chassis.settings import Settings
from chassis.telemetry.event_loop_lag import measure_event_loop_lag
from chassis.telemetry.logs import configure_logs

log = structlog.get_logger()

TIMING = Timing(lease=2, renew=0.5, poll=0.1, first_retry=0.05, longest_retry=0.2, stop=0.5)
HOLDER = "SELECT holder FROM background_leases WHERE name = 'endless'"


async def endless(database: Database) -> None:
    """Log the holder of the lease at the start, and run until the process ends."""
    row = await database.fetchrow(HOLDER)
    log.info("endless", holder=row and row["holder"])
    await asyncio.Event().wait()


@every(1, alone=True)
async def rounds(database: Database) -> None:
    """Note the time of each round, by the database's clock."""
    await database.fetch("INSERT INTO rounds VALUES (now())")
    log.info("round")


async def stubborn() -> None:
    """Ignore every cancellation."""
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def blocks() -> None:
    """Never give the event loop back."""
    time.sleep(600)  # noqa: ASYNC251


async def main(address: str, *also: str) -> None:
    """Run until SIGTERM."""
    configure_logs("INFO", "json")
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    injector = Injector({Database})
    background: list[Callable[..., Awaitable[None]]] = [Background(function=endless, alone=True), rounds]
    background += [each for each in (stubborn, blocks) if each.__name__ in also]
    lag = asyncio.create_task(measure_event_loop_lag())
    async with Pool(Settings(database_url=SecretStr(address))) as database:
        injector.values[Database] = database
        supervisor = Supervisor(background, injector, database, asyncio.Event(), TIMING)
        supervisor.start()
        await ended.wait()
        await supervisor.stop()
    lag.cancel()
    log.info("stopped")


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
