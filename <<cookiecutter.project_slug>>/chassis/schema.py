"""Whether the database's schema fits this code, told without Alembic, which a serving process has no use for."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import asyncpg

from chassis.database import Connection, Database
from chassis.project import ROOT

VERSIONS = ROOT / "migrations" / "versions"


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


def read_revisions(versions: Path = VERSIONS) -> Revisions:
    """Reads the revisions' names from the migration files.

    Raises:
        ValueError: two revisions follow the same one, or none is the first.
    """
    parents: dict[str, str | None] = {}
    line = re.compile(r'^(revision|down_revision)\b[^=\n]*= *(?:"([^"]+)"|None)', re.MULTILINE)
    for file in versions.glob("*.py"):
        found = dict(line.findall(file.read_text(encoding="utf-8")))
        if "revision" in found:
            parents[found["revision"]] = found.get("down_revision") or None
    heads = parents.keys() - set(parents.values())
    if len(heads) != (1 if parents else 0):
        raise ValueError(f"{versions} has {len(heads)} newest revisions, {sorted(heads)}: merge them into one line")
    return Revisions(next(iter(heads), None), frozenset(parents))


async def current_revision(connection: Connection) -> str | None:
    """The database's revision; None where it was never migrated."""
    try:
        revision: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
    except asyncpg.UndefinedTableError:
        return None
    return revision


async def schema_state(database: Database, revisions: Revisions) -> SchemaState:
    """Compares the database's revision with this code's.

    An unknown revision comes from newer code: the old pods of a rolling update and a roll-back meet it and must go on.

    Raises:
        DatabaseUnavailableError: the database does not answer.
    """
    async with database.connection() as connection:
        current = await current_revision(connection)
    if current == revisions.head:
        return SchemaState.CURRENT
    if current is None or current in revisions.known:
        return SchemaState.BEHIND
    return SchemaState.AHEAD
