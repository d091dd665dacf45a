"""The database of `make run` and `make shell`: that of DATABASE_URL, or one on an embedded server."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg

from chassis.development.kept_postgres import development_postgres, kept_postgres
from chassis.development.postgres import EmbeddedPostgresError
from chassis.migrations.revisions import HISTORIES
from chassis.project import ROOT

_NAME = "service"
_UNKNOWN = {"": ""}  # while migrations run, and after they have failed


@contextmanager
def development_database() -> Iterator[Callable[[], bool]]:
    """Set DATABASE_URL, unless it is set, and yield a function that migrates the database and tells if that worked.

    The database that a user names in DATABASE_URL is not migrated by itself.

    Raises:
        EmbeddedPostgresError: the embedded server does not start, or has ended.
    """
    if "DATABASE_URL" in os.environ:
        yield lambda: True
        return
    if kept_postgres() is None:
        print("Starting PostgreSQL …", flush=True)
    with development_postgres() as server_url:
        database = EmbeddedDatabase(server_url)
        os.environ["DATABASE_URL"] = database.url
        yield database.migrate


class EmbeddedDatabase:
    """A database that is migrated by itself, and made anew when a migration changes that it has run.

    Which migrations it has run, and what they looked like, is kept in its comment.

    Args:
        server_url: the address of an embedded server.

    Attributes:
        url: the database's address.
    """

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self.url = server_url.replace("/postgres?", f"/{_NAME}?")

    def migrate(self) -> bool:
        """Bring the database to the newest revision, and return whether that worked; the output has the reason.

        A new migration is applied, and rows stay. The database is made anew if a migration has changed or is gone since
        it was applied, and if the last attempt failed.

        Raises:
            EmbeddedPostgresError: the server has ended.
        """
        present = _migrations()
        applied = asyncio.run(self._applied())
        if applied == present:
            return True
        if applied is None or not applied.items() <= present.items():
            if applied is not None:
                print("A migration has changed: recreating the database.", flush=True)
            asyncio.run(self._make())
        asyncio.run(self._note(_UNKNOWN))
        command = [sys.executable, "-m", "app", "migrate"]
        if subprocess.run(command, check=False).returncode != 0:  # on DATABASE_URL
            return False
        asyncio.run(self._note(present))
        return True

    async def _applied(self) -> dict[str, str] | None:
        """Return what the database has run, or None if there is no database."""
        comment = await self._execute(
            "SELECT coalesce(shobj_description(oid, 'pg_database'), $2) FROM pg_database WHERE datname = $1",
            _NAME,
            json.dumps(_UNKNOWN),
        )
        applied: dict[str, str] | None = json.loads(comment) if comment else None
        return applied

    async def _make(self) -> None:
        await self._execute(f"DROP DATABASE IF EXISTS {_NAME} WITH (FORCE)")
        await self._execute(f"CREATE DATABASE {_NAME} ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0")

    async def _note(self, applied: dict[str, str]) -> None:
        comment = json.dumps(applied).replace("'", "''")
        await self._execute(f"COMMENT ON DATABASE {_NAME} IS '{comment}'")

    async def _execute(self, statement: str, *values: str) -> str | None:
        try:
            connection = await asyncpg.connect(self._server_url)
        except OSError as error:
            raise EmbeddedPostgresError("PostgreSQL has ended, as after `make db-stop`: start again.") from error
        try:
            result: str | None = await connection.fetchval(statement, *values)
        finally:
            await connection.close()
        return result


def _migrations() -> dict[str, str]:
    """Return the digest of each migration, by the path of its file."""
    files = [file for history in HISTORIES for file in sorted(history.versions.glob("*.py"))]
    return {str(file.relative_to(ROOT)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
