"""The migration histories, and the state of the database's schema. Works without Alembic, which images do not have."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

import asyncpg

from chassis.database import Connection, Database
from chassis.errors import MigrationError
from chassis.project import ROOT


@dataclass(frozen=True)
class History:
    """A line of revisions with its own version table. The chassis and the service have one each.

    Attributes:
        versions: the folder with the revision files.
        table: the version table.
    """

    versions: Path
    table: str


CHASSIS = History(ROOT / "chassis" / "migrations" / "versions", "chassis_version")
SERVICE = History(ROOT / "migrations" / "versions", "alembic_version")
HISTORIES = (CHASSIS, SERVICE)  # in the order in which they are applied

RENDERED = ROOT / "migrations.json"
"""In the image: the SQL of all revisions, as lists of `Step` by version table."""


class Step(NamedTuple):
    """A revision as lists of SQL statements."""

    revision: str
    name: str
    upgrade: list[str]
    downgrade: list[str]


class SchemaState(StrEnum):
    """How the database's schema relates to this code."""

    CURRENT = "current"
    BEHIND = "behind"
    AHEAD = "ahead"


@dataclass(frozen=True)
class Revisions:
    """The revisions of a history: the newest one (None if there are no migrations), and all of them."""

    head: str | None
    known: frozenset[str]


@cache
def read_revisions(versions: Path) -> Revisions:
    """Read the revisions from the migration files; cached.

    Raises:
        ValueError: a file has no revision, or the revisions are not one line.
    """
    parents: dict[str, str | None] = {}
    line = re.compile(r"""^(revision|down_revision)\b[^=\n]*= *(?:["']([^"']+)["']|None)""", re.MULTILINE)
    for file in versions.glob("*.py"):
        found = dict(line.findall(file.read_text(encoding="utf-8")))
        if not found.get("revision"):
            raise ValueError(f'{file} names no revision: write it as revision = "0002"')
        parents[found["revision"]] = found.get("down_revision") or None
    heads = parents.keys() - set(parents.values())
    if len(heads) != (1 if parents else 0):
        raise ValueError(f"{versions} has {len(heads)} newest revisions, {sorted(heads)}: merge them into one line")
    return Revisions(next(iter(heads), None), frozenset(parents))


def check_encoding(connection: Connection) -> None:
    """Check that the database can store all text. The server tells its encoding when it accepts a connection.

    Raises:
        MigrationError: the encoding is not UTF-8.
    """
    # Without a value behind a proxy that does not pass it on.
    encoding = getattr(connection.get_settings(), "server_encoding", "UTF8")
    if encoding != "UTF8":
        raise MigrationError(
            f"The database's encoding is {encoding}, in which some text cannot be stored. Use a database whose "
            "encoding is UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0."
        )


async def current_revision(connection: Connection, history: History) -> str | None:
    """Return the database's revision, or None if it was never migrated."""
    try:
        revision: str | None = await connection.fetchval(f"SELECT version_num FROM {history.table}")
    except asyncpg.UndefinedTableError:
        return None
    return revision


async def schema_state(database: Database) -> SchemaState:
    """Compare the database's revisions with this code's.

    An unknown revision means AHEAD and is no error: old pods see it during a rolling update, all pods after a rollback.

    Raises:
        DatabaseUnavailableError: the database does not answer.
        MigrationError: the database's encoding is not UTF-8.
    """
    ahead = False
    for history in HISTORIES:
        revisions = read_revisions(history.versions)
        async with database.connection() as connection:
            check_encoding(connection)
            current = await current_revision(connection, history)
        if current != revisions.head:
            if current is None or current in revisions.known:
                return SchemaState.BEHIND
            ahead = True
    return SchemaState.AHEAD if ahead else SchemaState.CURRENT
