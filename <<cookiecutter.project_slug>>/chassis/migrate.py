"""Alembic migrations, run by `python -m app migrate` under a lock, so that any number of them at once are safe."""

import asyncio

import asyncpg
import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from chassis.errors import DatabaseUnavailableError
from chassis.project import ROOT
from chassis.schema import read_revisions
from chassis.settings import Settings

log = structlog.get_logger()

_LOCK = 0x6D696772617465  # "migrate": any number will do that nothing else in the database locks
_POLL_SECONDS = 0.2


def alembic_config() -> Config:
    """Alembic's configuration: where the migrations are. There is no alembic.ini to keep in step."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


async def migrate(settings: Settings, down_to: str | None = None) -> None:
    """Brings the database to the newest revision, or back down to an earlier one.

    Args:
        settings: names the database.
        down_to: a revision to go back to, `base` for an empty schema; None to go up.

    Raises:
        DatabaseUnavailableError: no connection to the database could be made.
    """

    async def connect() -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await asyncpg.connect(settings.database_url.get_secret_value(), timeout=10)
        except (asyncpg.PostgresError, OSError, TimeoutError) as error:
            log.error("database_unavailable", reason=str(error) or type(error).__name__)
            raise DatabaseUnavailableError from error

    # The name before the address only picks the dialect: connections come from asyncpg, which reads addresses as the
    # service does.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as connection:
        await _lock(connection)
        await connection.run_sync(_run, down_to)


async def _lock(connection: AsyncConnection) -> None:
    """Waits for the lock by asking again: a statement that waits inside PostgreSQL would hold a snapshot, for which the
    CREATE INDEX CONCURRENTLY of the lock's holder would wait in turn."""
    waiting = False
    while not await connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}):
        await connection.rollback()
        if not waiting:
            log.info("migration_waiting", reason="another migration runs on this database")
            waiting = True
        await asyncio.sleep(_POLL_SECONDS)
    await connection.commit()


def _run(connection: Connection, down_to: str | None) -> None:
    revisions = read_revisions()
    before = _revision(connection)
    if before is not None and before not in revisions.known:
        # A roll-back runs the older image's migrations on the newer schema, which that image can use as it is.
        log.info("migration_not_needed", reason="the database is ahead of this code", revision=before)
        return
    config = alembic_config()
    config.attributes["connection"] = connection
    if down_to is None:
        command.upgrade(config, "head")
    else:
        command.downgrade(config, down_to)
    log.info("migration_done", before=before, after=_revision(connection))


def _revision(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()  # reading began a transaction
    return revision
