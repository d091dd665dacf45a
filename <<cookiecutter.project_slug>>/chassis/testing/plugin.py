"""The fixtures and the time limit of a service's tests; `tests/conftest.py` loads this module as a pytest plugin."""

import gc
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NoReturn

import pytest

from chassis.concurrency.deadline import lift_deadlines
from chassis.database import Connection, Database
from chassis.postgres.connection_pool import ConnectionPool
from chassis.testing.databases import delete_rows, migrated_database, open_database, postgres_server
from chassis.testing.issuer import Issuer, running_issuer
from chassis.testing.other_service import OtherService, running_other_service
from chassis.testing.time_limit import pytest_timeout_set_timer

__all__ = ["pytest_timeout_set_timer"]

_SESSION_STATE = """
    SELECT 'the setting ' || name FROM pg_settings WHERE source = 'session' AND name <> 'jit' -- which asyncpg sets
    UNION ALL SELECT 'an advisory lock' FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
    UNION ALL SELECT 'the temporary relation ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
    UNION ALL SELECT 'the channel ' || name FROM pg_listening_channels() AS name
    UNION ALL SELECT 'the prepared statement ' || name FROM pg_prepared_statements WHERE from_sql
"""


def pytest_collection_finish() -> None:
    """Exclude the imported modules from garbage collection, of which pytest makes several at its end."""
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Refuse breakpoints in a process of pytest-xdist, where nobody could type."""
    if hasattr(config, "workerinput"):
        sys.breakpointhook = _refuse_breakpoint


def _refuse_breakpoint(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("A process of pytest-xdist has no terminal for the debugger: run this test without -n.")


def pytest_enter_pdb() -> None:
    """Lift the deadline of the request that stops in the debugger."""
    lift_deadlines()


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The address of a PostgreSQL server: the one that DATABASE_URL names, or `make db` keeps, or an embedded one."""
    with postgres_server() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_url(server_url: str) -> Iterator[str]:
    """The address of a migrated database, which is dropped at the end."""
    with migrated_database(server_url) as url:
        yield url


@pytest.fixture
async def database_url(migrated_url: str) -> str:
    """The address of a migrated database without rows."""
    await delete_rows(migrated_url)
    return migrated_url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The test's database, for statements of the test itself."""
    async with open_database(database_url) as opened:
        yield opened


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An OIDC issuer, whose tokens a service with `issuer.settings` accepts."""
    async with running_issuer() as running:
        yield running


@pytest.fixture
async def other_service() -> AsyncIterator[OtherService]:
    """Another service, which the service under test calls at `other_service.url`."""
    async with running_other_service() as running:
        yield running


@pytest.fixture
def sessions_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if code leaves state in a session of PostgreSQL, because the next request on that connection finds it."""
    connection_of = ConnectionPool.connection

    @asynccontextmanager
    async def connection(pool: ConnectionPool) -> AsyncIterator[Connection]:
        async with connection_of(pool) as lent:
            yield lent
            if left := [row[0] for row in await lent.fetch(_SESSION_STATE)]:
                raise AssertionError(f"left behind in the session, for the next request to find: {', '.join(left)}")

    monkeypatch.setattr(ConnectionPool, "connection", connection)
