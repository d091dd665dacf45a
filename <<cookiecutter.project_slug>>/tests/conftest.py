"""A real PostgreSQL for the tests, and in it a database of their own, migrated once and emptied before each test."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pydantic import SecretStr
from pytest_aiohttp import AiohttpClient

from app.routes import ROUTES
from app.settings import Settings
from chassis.application import create_application
from chassis.database import Connection
from chassis.development.postgres import embedded_postgres
from chassis.migrations.revisions import HISTORIES
from chassis.migrations.run import migrate
from chassis.postgres.pool import Pool
from tests.databases import drop_database, make_database


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The address of a PostgreSQL server: the one that DATABASE_URL names, or an embedded one."""
    if url := os.environ.pop("DATABASE_URL", None):
        yield url
    else:
        with embedded_postgres() as url:
            yield url


@pytest.fixture(scope="session")
def migrated_url(server_url: str) -> Iterator[str]:
    """The address of a migrated database that is dropped at the end."""
    url = asyncio.run(make_database(server_url))
    try:
        asyncio.run(migrate(Settings(database_url=SecretStr(url))))
        yield url
    finally:
        asyncio.run(drop_database(server_url, url))


@pytest.fixture
async def database_url(migrated_url: str) -> str:
    """The address of a migrated database with no rows in it."""
    connection = await asyncpg.connect(migrated_url)
    tables = await connection.fetch(
        "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL ($1)",
        [history.table for history in HISTORIES],
    )
    if tables:
        await connection.execute(f"TRUNCATE {', '.join(row[0] for row in tables)} RESTART IDENTITY CASCADE")
    await connection.close()
    return migrated_url


@pytest.fixture
def settings(database_url: str) -> Settings:
    """The service's settings in a test."""
    return Settings(database_url=SecretStr(database_url))


_SESSION_STATE = """
    SELECT 'the setting ' || name FROM pg_settings WHERE source = 'session' AND name <> 'jit' -- which asyncpg sets
    UNION ALL SELECT 'an advisory lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
    UNION ALL SELECT 'the temporary relation ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
    UNION ALL SELECT 'the channel ' || name FROM pg_listening_channels() AS name
    UNION ALL SELECT 'the prepared statement ' || name FROM pg_prepared_statements WHERE from_sql
"""


@pytest.fixture
def sessions_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has whoever leaves something in a session fail, as the next request on that connection would find it."""
    connection_of = Pool.connection

    @asynccontextmanager
    async def connection(pool: Pool) -> AsyncIterator[Connection]:
        async with connection_of(pool) as lent:
            yield lent
            if left := [row[0] for row in await lent.fetch(_SESSION_STATE)]:
                raise AssertionError(f"left behind in the session, for the next request to find: {', '.join(left)}")

    monkeypatch.setattr(Pool, "connection", connection)


@pytest.fixture
async def client(
    aiohttp_client: AiohttpClient, settings: Settings, sessions_left_alone: None
) -> TestClient[web.Request, web.Application]:
    """A client of this service."""
    return await aiohttp_client(create_application(ROUTES, settings).api)
