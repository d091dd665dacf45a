"""Runs migrations: `python -m app migrate`. An advisory lock makes it safe to run several at the same time.

Alembic renders the revisions as SQL, and asyncpg executes it statement by statement.
"""

import asyncio
import json
import math
import ssl
from collections.abc import Sequence

import asyncpg
import structlog

from chassis.database import Connection
from chassis.errors import MigrationError
from chassis.migrations.revisions import HISTORIES, RENDERED, SERVICE, History, Step, check_encoding, current_revision
from chassis.postgres.failover import CANNOT_CONNECT, FailoverConnector
from chassis.settings import Settings

log = structlog.get_logger()

_LOCK = 0x6D696772617465  # "migrate" in ASCII; an arbitrary key that nothing else locks
_POLL_SECONDS = 0.2

# A role's timeouts are for the service's statements; a migration takes as long as it needs. The names are looked up,
# because servers before PostgreSQL 17 have no transaction_timeout.
_TIMEOUTS = "'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout'"
_TURN_OFF_LOCALLY = f"SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN ({_TIMEOUTS})"
_TURN_OFF = f"SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ({_TIMEOUTS}, 'lock_timeout')"
_TURN_ON = f"SELECT set_config(name, reset_val, false) FROM pg_settings WHERE name IN ({_TIMEOUTS}, 'lock_timeout')"

# Alembic writes BEGIN and COMMIT around a revision, and COMMIT and BEGIN around an `autocommit_block`.
_BEGIN, _COMMIT = "BEGIN;", "COMMIT;"

_GAVE_UP = (
    "another transaction held a lock that this statement needs for longer than MIGRATION_LOCK_TIMEOUT_SECONDS ({:g}). "
    "Run it again when that transaction has ended."
)


async def migrate(settings: Settings, down_to: str | None = None, history: History = SERVICE) -> None:
    """Upgrade the database to the newest revisions, or downgrade one history.

    Args:
        down_to: the revision to downgrade to, or `base` for an empty schema; None to upgrade.
        history: the history to downgrade.

    Raises:
        MigrationError: the database cannot be reached, its encoding is not UTF-8, a statement failed or waited too long
            for a lock (its revision is rolled back, earlier ones stay), a revision has no SQL yet, or `down_to` is not
            an earlier revision.
    """
    plan = [(each, _steps(each)) for each in (HISTORIES if down_to is None else [history])]
    connection = await _connect(settings)
    try:
        check_encoding(connection)
        await _lock(connection)
        for each, steps in plan:
            await _run(connection, each, steps, down_to, settings.migration_lock_timeout_seconds)
    finally:
        await connection.close()


async def _connect(settings: Settings) -> Connection:
    """Connect. While the server is not up yet, try again until MIGRATION_CONNECT_TIMEOUT_SECONDS is over."""
    connector = FailoverConnector(settings.database_url.get_secret_value())
    loop = asyncio.get_running_loop()
    end = loop.time() + settings.migration_connect_timeout_seconds
    waiting = False
    while True:
        try:
            return await connector.connect(timeout=max(end - loop.time(), _POLL_SECONDS))
        except CANNOT_CONNECT as error:
            reason = str(error) or type(error).__name__
            if not _may_come_up(error) or loop.time() + _POLL_SECONDS >= end:
                log.error("database_unavailable", reason=reason)
                raise MigrationError(f"The database cannot be reached: {reason}") from error
        if not waiting:
            log.info("migration_waiting", reason=f"the database is not up yet: {reason}")
            waiting = True
        await asyncio.sleep(_POLL_SECONDS)


def _may_come_up(error: Exception) -> bool:
    """Tell whether the same attempt may succeed later: refused, no such host, no response, the server starts up."""
    if isinstance(error, ssl.SSLError) or type(error) is ConnectionError:  # asyncpg's own, such as: no TLS
        return False
    return isinstance(error, (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError))


async def _lock(connection: Connection) -> None:
    """Poll for the lock. A statement that waits for it would hold a snapshot and block CREATE INDEX CONCURRENTLY."""
    waiting = False
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
        if not waiting:
            log.info("migration_waiting", reason="another migration runs on this database")
            waiting = True
        await asyncio.sleep(_POLL_SECONDS)


async def _run(
    connection: Connection, history: History, steps: Sequence[Step], down_to: str | None, lock_timeout: float
) -> None:
    known = ["base", *(step.revision for step in steps)]
    if down_to not in {None, *known}:
        raise MigrationError(f"There is no revision {down_to} to go down to: choose one of {known}.")
    before = await current_revision(connection, history)
    if before not in {None, *known}:
        if down_to is not None:
            raise MigrationError(
                f"The database is at {before}, which this code does not know: use the code that made it."
            )
        # After a rollback, the older image runs its migrations on a newer schema, which it can use unchanged.
        reason = "the database is ahead of this code"
        log.info("migration_not_needed", reason=reason, table=history.table, revision=before)
        return
    at = known.index(before or "base")
    to = known.index(down_to) if down_to else len(steps)
    if down_to and to > at:
        raise MigrationError(f"The database is at {before or 'base'} and cannot go down to {down_to}.")
    for step in steps[at:to]:
        await _execute(connection, f"upgrade to {step.revision}, {step.name}", step.upgrade, lock_timeout)
    for step in reversed(steps[to:at]):
        await _execute(connection, f"downgrade from {step.revision}, {step.name}", step.downgrade, lock_timeout)
    log.info("migration_done", table=history.table, before=before, after=await current_revision(connection, history))


async def _execute(connection: Connection, step: str, statements: Sequence[str], lock_timeout: float) -> None:
    log.info("migrating", step=step)
    outcome = " and is rolled back"
    in_transaction = False
    for statement in statements:
        try:
            if statement.strip() == _BEGIN:
                await _begin(connection, statement, lock_timeout)
                in_transaction = True
            elif in_transaction:
                await connection.execute(statement)
            else:
                await _execute_outside(connection, statement)
        except asyncpg.PostgresError as error:
            log.error("migration_failed", step=step, reason=str(error))
            reason = _GAVE_UP.format(lock_timeout) if isinstance(error, asyncpg.LockNotAvailableError) else error
            raise MigrationError(f"The migration {step!r} failed{outcome}: {reason}\n{statement}") from error
        if statement.strip() == _COMMIT:
            outcome = "; what it committed before that stays"
            in_transaction = False


async def _begin(connection: Connection, statement: str, lock_timeout: float) -> None:
    """Begin a transaction and set its timeouts: local ones, because other clients of PgBouncer use the session next."""
    await connection.execute(statement)
    # A statement that waits for a table lock blocks all later requests for the table.
    await connection.execute(f"SET LOCAL lock_timeout = {math.ceil(lock_timeout * 1000)}")
    await connection.execute(_TURN_OFF_LOCALLY)


async def _execute_outside(connection: Connection, statement: str) -> None:
    """Execute a statement outside of a transaction, without timeouts, and turn those of the role on again.

    CREATE INDEX CONCURRENTLY may wait for locks for long, and blocks nobody.
    """
    await connection.execute(_TURN_OFF)
    await connection.execute(statement)
    await connection.execute(_TURN_ON)


def _steps(history: History) -> list[Step]:
    """Return the rendered SQL in an image; in development, render the revision files."""
    if RENDERED.exists():
        return [Step(*step) for step in json.loads(RENDERED.read_text(encoding="utf-8"))[history.table]]
    from chassis.migrations.render import render  # imported here, because the image has no Alembic

    return render(history)
