"""A lease: of all processes that run a function `alone`, the one that holds the lease runs it.

What a lease promises: two processes never hold it at the same time, by the clock of the database. The holder cancels
its run before the lease expires.

What a lease cannot promise: that a cancelled run has ended. A process that is paused for longer than the lease, such as
a machine that is suspended or an event loop that is blocked, goes on until its next `await`. A statement that it has
sent may arrive later. A function can also ignore its cancellation. Where two runs at once would do harm, let the
database refuse the second: with a unique constraint, or with `UPDATE … WHERE state = 'due' RETURNING …`.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

import structlog

from chassis.background.lease_row import LeaseRow
from chassis.background.timing import Timing
from chassis.background.waiting import about, set_within
from chassis.database import Database
from chassis.telemetry.metrics import BACKGROUND_LEASE_HELD

log = structlog.get_logger()

# The part of a lease's lifetime after which a run is cancelled. The rest is for the run to end.
_USABLE = 0.9


class Lease:
    """A lease that this process takes, renews and releases.

    Args:
        database: has the lease.
        name: of the lease.
        timing: the lease's time limits.
        draining: set when the process takes no lease any more.
    """

    def __init__(self, database: Database, name: str, timing: Timing, draining: asyncio.Event) -> None:
        self._row = LeaseRow(database, name, f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex}", timing.lease)
        self._timing, self._draining = timing, draining
        self._held = BACKGROUND_LEASE_HELD.labels(name)
        self._may_hold, self._run_ended = False, True
        self._lost_because = ""
        self._usable_until = 0.0
        self._limit: asyncio.Timeout | None = None

    async def take(self) -> bool:
        """Wait until this process holds the lease, and return True; return False if the drain begins before."""
        waiting = False
        while not self._draining.is_set():
            pause = about(self._timing.poll)
            try:
                others = await self._row.seconds_of_others()
                if others is None and await self._taken():
                    log.info("lease_taken")
                    return True
                pause, waiting = min(pause, others or pause), False
            except Exception as error:  # whatever it is: it is logged, and the next attempt may succeed
                if not waiting:
                    log.warning("lease_waiting", reason=repr(error.__cause__ or error))
                waiting = True
            await set_within(self._draining, pause)
        return False

    async def hold(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Run a function while the lease is renewed, and return False if the lease is lost before the function ends.

        The function is cancelled before the lease expires.
        """
        self._lost_because = "it was not renewed in time"
        self._held.set(1)
        try:
            async with asyncio.timeout_at(self._usable_until) as limit:
                self._limit = limit
                renewing = asyncio.create_task(self._renew(limit))
                try:
                    await work()
                finally:
                    renewing.cancel()
                    await asyncio.wait([renewing])
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._held.set(0)
        if not limit.expired():
            return True
        log.warning("lease_lost", reason=self._lost_because)
        return False

    def pause_before_first_run(self, seconds: float | None) -> float:
        """Return how long to wait until the last run, of any process, began the given time ago."""
        since = self._row.since_run
        return 0 if seconds is None or since is None else max(0, seconds - since)

    async def begin_run(self) -> bool:
        """Note in the database that a run begins, and return False if the lease is lost.

        While the database does not answer, the method waits, at most until the lease expires.
        """
        while self._limit and not self._limit.expired():
            sent = asyncio.get_running_loop().time()
            with suppress(Exception):
                if await self._row.begin_run():
                    self._extend(self._limit, sent)
                    self._run_ended = False
                    return True
                self._lose(self._limit)
                return False
            await asyncio.sleep(self._timing.poll)
        return False

    async def end_run(self, *, succeeded: bool) -> None:
        """Note that a run has ended. After one that failed, or was cancelled, the next holder runs at once."""
        if not succeeded:
            with suppress(Exception):  # the database may be the reason of the failure; `release` tries again
                await self._row.forget_run()
                self._run_ended = True
        else:
            self._run_ended = True

    async def release(self) -> None:
        """Release the lease, so that another process takes it at once."""
        if not self._may_hold:
            return
        try:
            async with asyncio.timeout(self._timing.stop / 2):
                if await self._row.release(run_ended=self._run_ended):
                    log.info("lease_released")
            self._may_hold = False
        except Exception as error:
            log.warning("lease_not_released", reason=repr(error.__cause__ or error))

    async def _taken(self) -> bool:
        sent = asyncio.get_running_loop().time()
        self._may_hold = True  # also if the statement is cancelled or its answer is lost
        self._may_hold = await self._row.take()
        self._usable_until = sent + _USABLE * self._timing.lease
        return self._may_hold

    async def _renew(self, limit: asyncio.Timeout) -> None:
        pause = self._timing.renew
        while not limit.expired():
            await asyncio.sleep(pause)
            sent = asyncio.get_running_loop().time()
            try:
                renewed = await self._row.renew()
            except Exception as error:
                self._lost_because, pause = repr(error.__cause__ or error), self._timing.poll
                continue
            if not renewed:
                self._lose(limit)
                return
            self._extend(limit, sent)
            pause = self._timing.renew

    def _extend(self, limit: asyncio.Timeout, sent: float) -> None:
        if not limit.expired():
            limit.reschedule(sent + _USABLE * self._timing.lease)

    def _lose(self, limit: asyncio.Timeout) -> None:
        self._may_hold, self._lost_because = False, "another process has taken it"
        if not limit.expired():
            limit.reschedule(asyncio.get_running_loop().time())
