"""Migrations, run by `python -m app migrate` under a lock, so that any number of them at once are safe.

Alembic turns the revisions into SQL and asyncpg runs it, statement by statement: there is one driver in the image, and
what is run is what can be read.
"""

import asyncio
from typing import TextIO, cast

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from chassis.database import CANNOT_CONNECT, Connection
from chassis.errors import MigrationError
from chassis.project import ROOT
from chassis.schema import HISTORIES, SERVICE, History, current_revision, read_revisions
from chassis.settings import Settings

log = structlog.get_logger()

_LOCK = 0x6D696772617465  # "migrate": any number will do that nothing else in the database locks
_POLL_SECONDS = 0.2
_CONNECT_SECONDS = 10
_STEP = "-- Running "  # how Alembic's comment before each revision begins


async def migrate(settings: Settings, down_to: str | None = None, history: History = SERVICE) -> None:
    """Brings the database to the newest revisions, or a history back down to an earlier one.

    Args:
        settings: names the database.
        down_to: a revision to go back to, `base` for an empty schema; None to go up.
        history: whose revision that is.

    Raises:
        MigrationError: the database cannot be reached, a statement failed (its revision is rolled back, those before it
            stay), a revision has no SQL yet, or `down_to` is no revision below the database's.
    """
    try:
        connection = await asyncpg.connect(settings.database_url.get_secret_value(), timeout=_CONNECT_SECONDS)
    except CANNOT_CONNECT as error:
        reason = str(error) or type(error).__name__
        log.error("database_unavailable", reason=reason)
        raise MigrationError(f"The database cannot be reached: {reason}") from error
    try:
        await _lock(connection)
        for each in HISTORIES if down_to is None else (history,):
            await _run(connection, each, down_to)
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


async def _run(connection: Connection, history: History, down_to: str | None) -> None:
    before, known = await current_revision(connection, history), read_revisions(history.versions).known
    if down_to not in {None, "base", *known}:
        raise MigrationError(f"There is no revision {down_to} to go down to: choose base or one of {sorted(known)}.")
    if before is not None and before not in known and down_to is None:
        # A roll-back runs the older image's migrations on the newer schema, which that image can use as it is.
        log.info(
            "migration_not_needed", reason="the database is ahead of this code", table=history.table, revision=before
        )
        return
    step = "preparation"
    for statement in statements(history, before, down_to):
        if statement.startswith(_STEP):
            step = statement.removeprefix(_STEP).strip()
            log.info("migrating", step=step)
        elif not statement.strip(" ;\n"):
            raise MigrationError(f"The migration {step!r} has no SQL yet: write it, for both directions.")
        else:
            await _execute(connection, step, statement)
    after = await current_revision(connection, history)
    log.info("migration_done", table=history.table, before=before, after=after)


async def _execute(connection: Connection, step: str, statement: str) -> None:
    try:
        await connection.execute(statement)
    except asyncpg.PostgresError as error:
        log.error("migration_failed", step=step, reason=str(error))
        raise MigrationError(f"The migration {step!r} failed and is rolled back: {error}\n{statement}") from error


def statements(history: History, before: str | None = None, down_to: str | None = None) -> list[str]:
    """The SQL from a revision to the newest one, or down to another; BEGIN and COMMIT around each revision included."""
    if down_to is not None and before is None:
        return []
    # Alembic begins with CREATE TABLE, and an empty table is left where everything was taken back.
    written = _Written([] if before else [f"DROP TABLE IF EXISTS {history.table}"])
    config = alembic_config(history, cast(TextIO, written))
    if down_to is None:
        command.upgrade(config, f"{before or 'base'}:head", sql=True)
    else:
        try:
            command.downgrade(config, f"{before}:{down_to}", sql=True)
        except CommandError as error:  # it lies above
            raise MigrationError(f"The database is at {before} and cannot go down to {down_to}.") from error
    return written.statements


def alembic_config(history: History, output: TextIO | None = None) -> Config:
    """Alembic's configuration: where the migrations are. There is no alembic.ini to keep in step."""
    config = Config(output_buffer=output, attributes={"version_table": history.table})
    config.set_main_option("path_separator", "newline")
    config.set_main_option("script_location", str(ROOT / "chassis" / "migrations").replace("%", "%%"))
    config.set_main_option("version_locations", str(history.versions).replace("%", "%%"))
    return config


class _Written:
    """Takes the place of the file that Alembic writes to: one statement a call."""

    def __init__(self, statements: list[str]) -> None:
        self.statements = statements

    def write(self, text: str) -> None:
        self.statements.append(text)

    def flush(self) -> None:
        """Nothing is kept back."""
