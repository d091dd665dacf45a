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


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the address of a PostgreSQL server: the one that DATABASE_URL names, or an embedded one."""
    if url := os.environ.pop("DATABASE_URL", None):
        yield url
    else:
        from chassis.development.postgres import embedded_postgres  # imported here, because an image does not have it

        with embedded_postgres() as url:
            yield url


@contextmanager
def migrated_database(server_url: str) -> Iterator[str]:
    """Make a database and apply the migrations to it; drop it at the end of the block."""
    url = asyncio.run(make_database(server_url))
    try:
        asyncio.run(migrate(Settings(database_url=SecretStr(url))))
        yield url
    finally:
        asyncio.run(drop_database(server_url, url))


async def make_database(server_url: str, name: str = "") -> str:
    """Make a database, under a new name if none is given, and return its address.

    It is empty, unless DATABASE_TEMPLATE names a database to copy, as `make rolling-upgrade` does.
    """
    name = name or new_name()
    template = os.environ.get("DATABASE_TEMPLATE", "template0")
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
        await connection.execute(f'DROP DATABASE "{urlsplit(url).path[1:]}" WITH (FORCE)')
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
    """Return a name that no database has."""
    return f"test_{uuid4().hex}"


def with_database(url: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}")).replace("postgresql:/?", "postgresql:///?")
