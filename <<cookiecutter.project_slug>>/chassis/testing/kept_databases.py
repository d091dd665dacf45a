"""What tests leave on the server that `make db` keeps: a template, the migrated database that each run copies."""

import hashlib
import os
import re
from contextlib import suppress

import asyncpg

from chassis.database import Connection
from chassis.migrations.revisions import HISTORIES

PREFIX = "test_"
"""How names of the tests' databases begin. The number of the process that made it is next."""

_TEMPLATE_PREFIX = "migrated_"
_KEPT_SERVER = "make-db"  # the `cluster_name` that chassis/development/kept_postgres.py gives it


async def is_kept(connection: Connection) -> bool:
    """Return whether this is the server that `make db` keeps."""
    name: str = await connection.fetchval("SHOW cluster_name")
    return name == _KEPT_SERVER


def template_name() -> str:
    """Return the name of the template of the present migrations."""
    digest = hashlib.sha256()
    for history in HISTORIES:
        for folder in (history.versions, history.versions.parent):
            for file in sorted(folder.glob("*.py")):
                digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"{_TEMPLATE_PREFIX}{digest.hexdigest()[:16]}"


async def exists(connection: Connection, name: str) -> bool:
    """Return whether the server has a database."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name)
    return found


async def become_template(connection: Connection, database: str, template: str) -> None:
    """Rename a migrated database to the template, and drop the templates of earlier migrations."""
    for earlier in await _names(connection, _TEMPLATE_PREFIX):
        if earlier != template:
            await _drop(connection, earlier)
    try:
        await connection.execute(f"ALTER DATABASE {database} RENAME TO {template}")
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):  # other tests were first
        await _drop(connection, database)


async def drop_abandoned(connection: Connection) -> None:
    """Drop the databases of tests whose process has ended without dropping them, such as by kill -9."""
    for name in await _names(connection, PREFIX):
        if (made := re.match(r"[a-z]+_([0-9]+)_", name)) and not _runs(int(made[1])):
            await _drop(connection, name)


async def _names(connection: Connection, prefix: str) -> list[str]:
    rows = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", prefix)
    return [row[0] for row in rows]


async def _drop(connection: Connection, name: str) -> None:
    with suppress(asyncpg.ObjectInUseError):  # other tests copy it
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
