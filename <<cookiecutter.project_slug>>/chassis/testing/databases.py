"""The databases of tests, on a real PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
from pydantic import SecretStr

from chassis.database import Database
from chassis.migrations.revisions import HISTORIES
from chassis.migrations.run import migrate
from chassis.postgres.pool import Pool
from chassis.settings import Settings
from chassis.testing.kept_databases import PREFIX, become_template, drop_abandoned, exists, is_kept, template_name


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the address of a PostgreSQL server: of DATABASE_URL, of the one that `make db` keeps, or of a new one."""
    if url := os.environ.pop("DATABASE_URL", None):
        yield url
    else:
        from chassis.development.kept_postgres import development_postgres  # here, because an image does not have it

        with development_postgres() as url:
            yield url


@contextmanager
def migrated_database(server_url: str) -> Iterator[str]:
    """Make a database with the migrations applied, and drop it at the end of the block.

    On the server that `make db` keeps, it is a copy of a template, which is made anew when a migration changes.
    """
    template = asyncio.run(_template(server_url))
    url = asyncio.run(make_database(server_url, template=template))
    try:
        if template is None:
            asyncio.run(_migrate(url))
        yield url
    finally:
        asyncio.run(drop_database(server_url, url))


async def _migrate(url: str) -> None:
    await migrate(Settings(database_url=SecretStr(url)))


async def _template(server_url: str) -> str | None:
    """Return the name of the kept server's template; None on another server, where tests leave nothing."""
    connection = await asyncpg.connect(server_url)
    try:
        if not await is_kept(connection):
            return None
        await drop_abandoned(connection)
        name = template_name()
        if not await exists(connection, name):
            url = await make_database(server_url)
            await _migrate(url)
            await become_template(connection, name_of(url), name)
        return name
    finally:
        await connection.close()


async def make_database(server_url: str, name: str = "", template: str | None = None) -> str:
    """Make a database, under a new name if none is given, and return its address.

    It is empty, unless `template` names a database to copy, or DATABASE_TEMPLATE, which `make rolling-upgrade` sets.
    """
    name = name or new_name()
    template = template or os.environ.get("DATABASE_TEMPLATE", "template0")
    connection = await asyncpg.connect(server_url)
    try:
        # Independent of the server's own encoding.
        await connection.execute(f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' LOCALE 'C' TEMPLATE {template}")
    finally:
        await connection.close()
    return with_database(server_url, name)


async def drop_database(server_url: str, url: str) -> None:
    """Drop a database, even if somebody is connected to it."""
    connection = await asyncpg.connect(server_url)
    try:
        await connection.execute(f'DROP DATABASE "{name_of(url)}" WITH (FORCE)')
    finally:
        await connection.close()


async def delete_rows(url: str) -> None:
    """Delete all rows of a database, and restart its sequences; the version tables of the migrations stay."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL ($1)",
            [history.table for history in HISTORIES],
        )
        if tables:
            await connection.execute(f"TRUNCATE {', '.join(row[0] for row in tables)} RESTART IDENTITY CASCADE")
    finally:
        await connection.close()


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    """Open a pool of connections to a database until the block ends."""
    async with Pool(Settings(database_url=SecretStr(url))) as database:
        yield database


def new_name() -> str:
    """Return a name that no database has, with the number of this process."""
    return f"{PREFIX}{os.getpid()}_{uuid4().hex}"


def name_of(url: str) -> str:
    """Return the name of the database at an address."""
    return urlsplit(url).path[1:]


def with_database(url: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}")).replace("postgresql:/?", "postgresql:///?")
