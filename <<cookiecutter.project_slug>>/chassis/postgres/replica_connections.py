"""Connections to a replica. A connection is checked before its use: the replica must be a standby and not lag too much.

Each connection is checked by itself, because several standbys may share the replica's address.
"""

import math
import time
from typing import TYPE_CHECKING, Any

import asyncpg

from chassis.database import Connection
from chassis.errors import DatabaseUnavailableError
from chassis.postgres.connection_pool import ConnectionPool, is_lost, terminate
from chassis.postgres.replication_lag import PrimaryPositions
from chassis.postgres.stream_pool import StreamPool
from chassis.settings import Settings

if TYPE_CHECKING:  # generic in its stubs only
    from asyncpg.pool import PoolConnectionProxy

_MAX_INTERVAL_SECONDS = 1
_CHECK = "SELECT pg_is_in_recovery(), pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint"


class ReplicaState:
    """Whether reads go to the replica. Its connections report what is wrong, and its monitor what works again.

    Attributes:
        positions: the positions of the primary.
        primary_error: why the primary's position could not be read last; empty if it was read.
        max_lag_seconds: the longest lag.
        interval_seconds: how long a check of a connection holds, and the pause of the monitor.
        problem: why the replica is not usable; empty if it is.
        lag_seconds: the lag at the last check; infinite if it is more than the longest, or unknown.
    """

    def __init__(self, settings: Settings) -> None:
        self.max_lag_seconds = settings.database_replica_max_lag_seconds
        self.interval_seconds = min(_MAX_INTERVAL_SECONDS, self.max_lag_seconds / 4)
        self.positions = PrimaryPositions(self.max_lag_seconds)
        self.primary_error = ""
        self.fail("it has not been checked yet")

    @property
    def usable(self) -> bool:
        return not self.problem

    def fail(self, problem: str) -> None:
        """Have reads go to the primary until the monitor finds the replica usable again."""
        self.problem = problem
        self.lag_seconds = math.inf

    def recover(self) -> None:
        """Have reads go to the replica."""
        self.problem = ""

    def fits(self, *, is_standby: bool, replayed: int | None) -> bool:
        """Measure the lag of a server, and tell whether reads may use it; if not, `problem` has the reason."""
        lag = self.positions.lag(replayed or 0)
        if not is_standby:
            self.fail("it is not a standby: it was promoted, or DATABASE_REPLICA_URL is the primary's address")
        elif math.isinf(lag) and self.primary_error:
            self.fail(f"its lag is unknown, as the primary does not tell its position: {self.primary_error}")
        elif math.isinf(lag):
            self.fail(f"it is more than {self.max_lag_seconds:g} s behind the primary")
        else:
            self.lag_seconds = lag
            return True
        return False


class ReplicaPool(ConnectionPool):
    """A pool of checked connections.

    It is never told that the schema is current: a table that is missing here may only not be replicated yet, so the
    read runs again on the primary, which knows.

    Args:
        state: the state of the replica.
        pool: the arguments of the base class.
    """

    reads_only = True

    def __init__(self, state: ReplicaState, *pool: Any) -> None:
        super().__init__(*pool)
        self._state = state
        self._checked_at = dict["PoolConnectionProxy[asyncpg.Record]", float]()

    async def acquire(self) -> "PoolConnectionProxy[asyncpg.Record]":
        """Acquire a connection to a server that is usable.

        Raises:
            OverloadedError: all connections are in use, and none became free in time.
            DatabaseUnavailableError: no connection can be made, or the server of this one is not usable.
        """
        try:
            connection = await super().acquire()
        except DatabaseUnavailableError as error:
            self._state.fail(f"{error.__cause__!r}")
            raise
        if time.monotonic() < self._checked_at.get(connection, -math.inf) + self._state.interval_seconds:
            return connection
        try:
            await self._check(connection)
        except BaseException:
            terminate(connection)
            await self.release(connection, self.servers_lost, None)
            raise
        self._checked_at = {each: at for each, at in self._checked_at.items() if not is_lost(each)}
        self._checked_at[connection] = time.monotonic()
        return connection

    async def expire(self) -> None:
        self._state.fail("its connections were lost")
        await super().expire()

    async def _check(self, connection: Connection) -> None:
        try:
            [(is_standby, replayed)] = await connection.fetch(_CHECK, timeout=self._connect_timeout)
        except Exception as error:  # whatever it is: the monitor logs it, and the read runs on the primary
            await self.means_unavailable(error, lost=is_lost(connection))  # expires the others, if the server is lost
            self._state.fail(f"{error!r}")
            raise DatabaseUnavailableError from error
        if not self._state.fits(is_standby=is_standby, replayed=replayed):
            raise DatabaseUnavailableError


class ReplicaStreamPool(ReplicaPool, StreamPool):
    """The checked connections of streams."""
