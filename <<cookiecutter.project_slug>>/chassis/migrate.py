"""Migrations, run by `python -m app migrate` under a lock, so that any number of them at once are safe.

Alembic turns the revisions into SQL and asyncpg runs it, statement by statement: there is one driver in the image, and
what is run is what can be read.
"""

import asyncio
import json
import math
from collections.abc import Sequence

import asyncpg
import structlog

from chassis.database import Connection
from chassis.errors import MigrationError
from chassis.hosts import CANNOT_CONNECT, Hosts
from chassis.schema import HISTORIES, RENDERED, SERVICE, History, Step, current_revision
from chassis.settings import Settings

log = structlog.get_logger()

_LOCK = 0x6D696772617465  # "migrate": any number will do that nothing else in the database locks
_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 10

# As Alembic writes them around a revision and, the other way round, around what it has run outside of a transaction.
_BEGIN, _COMMIT = "BEGIN;", "COMMIT;"

_GAVE_UP = (
    "another transaction held a lock that this statement needs for longer than MIGRATION_LOCK_TIMEOUT_SECONDS ({:g}). "
    "Run it again when that transaction has ended."
)


async def migrate(settings: Settings, down_to: str | None = None, history: History = SERVICE) -> None:
    """Brings the database to the newest revisions, or a history back down to an earlier one.

    Args:
        settings: names the database.
        down_to: a revision to go back to, `base` for an empty schema; None to go up.
        history: whose revision that is.

    Raises:
        MigrationError: the database cannot be reached, a statement failed, or waited too long for a lock (its revision
            is rolled back, those before it stay), a revision has no SQL yet, or `down_to` is no revision below the
            database's.
    """
    plan = [(each, _steps(each)) for each in (HISTORIES if down_to is None else [history])]
    try:
        connection = await Hosts(settings.database_url.get_secret_value()).connect(timeout=_CONNECT_SECONDS)
    except CANNOT_CONNECT as error:
        reason = str(error) or type(error).__name__
        log.error("database_unavailable", reason=reason)
        raise MigrationError(f"The database cannot be reached: {reason}") from error
    try:
        await _lock(connection)
        for each, steps in plan:
            await _run(connection, each, steps, down_to, settings.migration_lock_timeout_seconds)
    finally:
        await connection.close()


async def _lock(connection: Connection) -> None:
    """Waits for the lock by asking again: a statement that waits inside PostgreSQL would hold a snapshot, for which the
    CREATE INDEX CONCURRENTLY of the lock's holder would wait in turn."""
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
        # A roll-back runs the older image's migrations on the newer schema, which that image can use as it is.
        reason = "the database is ahead of this code"
        log.info("migration_not_needed", reason=reason, table=history.table, revision=before)
        return
    at = known.index(before or "base")
    to = known.index(down_to) if down_to else len(steps)
    if down_to and to > at:
        raise MigrationError(f"The database is at {before or 'base'} and cannot go down to {down_to}.")
    for step in steps[at:to]:
        await _carry_out(connection, f"upgrade to {step.revision}, {step.name}", step.upgrade, lock_timeout)
    for step in reversed(steps[to:at]):
        await _carry_out(connection, f"downgrade from {step.revision}, {step.name}", step.downgrade, lock_timeout)
    log.info("migration_done", table=history.table, before=before, after=await current_revision(connection, history))


async def _carry_out(connection: Connection, step: str, statements: Sequence[str], lock_timeout: float) -> None:
    log.info("migrating", step=step)
    outcome = " and is rolled back"
    for statement in statements:
        try:
            await connection.execute(statement)
            if statement.strip() == _BEGIN:
                # Whoever waits for a table's lock has every later request for the table wait behind it. LOCAL, because
                # outside of a transaction CREATE INDEX CONCURRENTLY waits for old transactions, which stops nobody.
                await connection.execute(f"SET LOCAL lock_timeout = {math.ceil(lock_timeout * 1000)}")
        except asyncpg.PostgresError as error:
            log.error("migration_failed", step=step, reason=str(error))
            reason = _GAVE_UP.format(lock_timeout) if isinstance(error, asyncpg.LockNotAvailableError) else error
            raise MigrationError(f"The migration {step!r} failed{outcome}: {reason}\n{statement}") from error
        if statement.strip() == _COMMIT:
            outcome = "; what it committed before that stays"


def _steps(history: History) -> list[Step]:
    """The SQL as it was rendered when the image was built; in development, as the revisions' files say it now."""
    if RENDERED.exists():
        return [Step(*step) for step in json.loads(RENDERED.read_text(encoding="utf-8"))[history.table]]
    from chassis.migrations.render import render  # here, because there is no Alembic in the image

    return render(history)
