"""Whether the database's schema fits this code, told without Alembic, which a serving process has no use for."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

import asyncpg

from chassis.database import Connection, Database
from chassis.project import ROOT


@dataclass(frozen=True)
class History:
    """A line of migrations with a version table of its own, so that the template's and the service's do not meet.

    Attributes:
        versions: the folder of its revisions.
        table: where the database keeps its revision.
    """

    versions: Path
    table: str


CHASSIS = History(ROOT / "chassis" / "migrations" / "versions", "chassis_version")
SERVICE = History(ROOT / "migrations" / "versions", "alembic_version")
HISTORIES = (CHASSIS, SERVICE)
"""In the order in which they are applied."""

RENDERED = ROOT / "migrations.json"
"""The SQL of all revisions, in the image: lists of `Step` by version table."""


class Step(NamedTuple):
    """A revision as SQL, one statement each."""

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
    """The migrations this code knows.

    Attributes:
        head: the newest revision, or None where there are no migrations.
        known: all of them.
    """

    head: str | None
    known: frozenset[str]


@cache
def read_revisions(versions: Path) -> Revisions:
    """Reads the revisions' names from the migration files, once a process.

    Raises:
        ValueError: two revisions follow the same one, or none is the first.
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


async def current_revision(connection: Connection, history: History) -> str | None:
    """The database's revision; None where it was never migrated."""
    try:
        revision: str | None = await connection.fetchval(f"SELECT version_num FROM {history.table}")
    except asyncpg.UndefinedTableError:
        return None
    return revision


async def schema_state(database: Database) -> SchemaState:
    """Compares the database's revisions with this code's.

    An unknown revision comes from newer code: the old pods of a rolling update and a roll-back meet it and must go on.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    ahead = False
    for history in HISTORIES:
        revisions = read_revisions(history.versions)
        async with database.connection() as connection:
            current = await current_revision(connection, history)
        if current != revisions.head:
            if current is None or current in revisions.known:
                return SchemaState.BEHIND
            ahead = True
    return SchemaState.AHEAD if ahead else SchemaState.CURRENT
