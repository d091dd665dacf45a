"""The supervisor of background work: runs the functions of `Service.background`, and stops them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from chassis.background.entry import Entry, entries_of
from chassis.background.lease import Lease
from chassis.background.run import prepare_metrics, succeeds
from chassis.background.timing import Timing
from chassis.background.waiting import Backoff, about, set_within
from chassis.concurrency.cancellation import abandon
from chassis.database import Database
from chassis.resources.injection import Injector

log = structlog.get_logger()


class Supervisor:
    """Runs background functions beside requests.

    A function that fails starts again after a pause, from 1 to 60 seconds, which doubles with each failure.

    Args:
        background: the functions, as in `Service.background`.
        injector: gives the functions their parameters.
        database: has the leases of functions that run `alone`.
        draining: an event. While it is set, no run begins. `stop` sets it as well.
        timing: the time limits.

    Raises:
        TypeError: one is not a coroutine function, or has a parameter that cannot be given; the message names it.
        ValueError: two functions have the same name.
    """

    def __init__(
        self,
        background: Sequence[Callable[..., Awaitable[None]]],
        injector: Injector,
        database: Database,
        draining: asyncio.Event,
        timing: Timing | None = None,
    ) -> None:
        self._entries = entries_of(background, injector)
        self._database, self._draining, self._timing = database, draining, timing or Timing()
        self._tasks: list[asyncio.Task[None]] = []
        self._releasing = set[str]()  # entries that release their lease, which a cancellation must not interrupt

    def start(self) -> None:
        """Start all functions; the service is ready."""
        if not self._entries or self._draining.is_set():
            return
        for entry in self._entries:
            prepare_metrics(entry)
            self._tasks.append(asyncio.create_task(self._supervise(entry), name=entry.name))
        log.info("background_started", functions=[entry.name for entry in self._entries])

    async def stop(self) -> None:
        """Cancel all functions and wait for their end, for a bounded time."""
        self._draining.set()
        for task in self._tasks:
            if task.get_name() not in self._releasing:
                task.cancel()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=self._timing.stop)
            if left:
                log.error("background_abandoned", functions=sorted(task.get_name() for task in left))
            for task in left:
                abandon(task)
        self._tasks = []

    async def _supervise(self, entry: Entry) -> None:
        clear_contextvars()
        bind_contextvars(background=entry.name)
        if not entry.alone:
            await self._repeat(entry, None)
            return
        lease = Lease(self._database, entry.name, self._timing, self._draining)
        try:
            while await lease.take():
                if await lease.hold(lambda: self._repeat(entry, lease)):
                    break
        finally:
            self._releasing.add(entry.name)
            await lease.release()

    async def _repeat(self, entry: Entry, lease: Lease | None) -> None:
        """Run a function again and again, until it is done, the drain begins, or the lease is lost."""
        loop, backoff = asyncio.get_running_loop(), Backoff(self._timing)
        pause = lease.pause_before_first_run(entry.seconds) if lease else 0
        while not await set_within(self._draining, pause):
            if lease and (not await lease.begin_run() or self._draining.is_set()):
                return
            started = loop.time()
            succeeded = await succeeds(entry)
            if lease:
                await lease.end_run(succeeded=succeeded)
            if not succeeded:
                if loop.time() - started > self._timing.longest_retry:
                    backoff.reset()
                pause = backoff.pause()
            elif entry.seconds is not None:
                backoff.reset()
                pause = max(0, started + about(entry.seconds) - loop.time())
            else:
                log.info("background_ended")
                if lease:  # keep it, so that no other process runs the function again
                    await self._draining.wait()
                return
