"""The row of a lease in the table `background_leases`. All times are those of the database's clock.

Each method is one statement outside of a transaction and needs no state of the session, so leases work through
PgBouncer in transaction mode.
"""

from datetime import timedelta

from chassis.database import Database

_OTHERS = "SELECT expires_at - now() FROM background_leases WHERE name = $1 AND holder <> $2 AND expires_at > now()"
_TAKE = """
    INSERT INTO background_leases AS lease (name, holder, expires_at) VALUES ($1, $2, now() + $3::interval)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
        WHERE lease.holder = excluded.holder OR lease.expires_at <= now()
    RETURNING now() - last_run_at
"""
_MINE = "WHERE name = $1 AND holder = $2"
_RENEW = f"UPDATE background_leases SET expires_at = now() + $3::interval {_MINE} RETURNING 1"
_BEGIN = f"UPDATE background_leases SET expires_at = now() + $3::interval, last_run_at = now() {_MINE} RETURNING 1"
_FORGET = f"UPDATE background_leases SET last_run_at = NULL {_MINE}"
_RELEASE = f"""
    UPDATE background_leases SET expires_at = now(), last_run_at = CASE WHEN $3::bool THEN last_run_at END {_MINE}
    RETURNING 1
"""


class LeaseRow:
    """The row of a lease.

    Args:
        database: has the row.
        name: of the lease.
        holder: this process, by a name that no other process has.
        seconds: from the renewal of the lease to its expiry.

    Attributes:
        since_run: how long ago the last run began when the lease was taken; None if there was none.
    """

    def __init__(self, database: Database, name: str, holder: str, seconds: float) -> None:
        self._database, self._key, self._lifetime = database, (name, holder), timedelta(seconds=seconds)
        self.since_run: float | None = None

    async def seconds_of_others(self) -> float | None:
        """Return when the lease of another process expires; None if no other process holds it."""
        row = await self._database.fetchrow(_OTHERS, *self._key)
        return row[0].total_seconds() if row else None

    async def take(self) -> bool:
        """Take the lease, and return whether this process holds it now."""
        row = await self._database.fetchrow(_TAKE, *self._key, self._lifetime)
        if row:
            self.since_run = row[0] and row[0].total_seconds()
        return bool(row)

    async def renew(self) -> bool:
        """Renew the lease, and return False if another process has taken it."""
        return bool(await self._database.fetch(_RENEW, *self._key, self._lifetime))

    async def begin_run(self) -> bool:
        """Note that a run begins, and renew the lease; return False if another process has taken it."""
        return bool(await self._database.fetch(_BEGIN, *self._key, self._lifetime))

    async def forget_run(self) -> None:
        """Forget the run that has begun, because it failed."""
        await self._database.fetch(_FORGET, *self._key)

    async def release(self, *, run_ended: bool) -> bool:
        """Release the lease, and return whether this process held it.

        Args:
            run_ended: False if the run that has begun is forgotten, because it was cancelled.
        """
        return bool(await self._database.fetch(_RELEASE, *self._key, run_ended))
