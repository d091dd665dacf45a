<%
columns = ", ".join(field.name for field in fields)
values = ", ".join(f"${number}" for number, _ in enumerate(fields, 1))
changes = ", ".join(f"{field.name} = ${number}" for number, field in enumerate(fields, 3))
%>"""The SQL of ${names.several}, one function per statement."""

from app.${names.many}.models import ${names.model}, ${names.model}Fields, ${names.model}Query
from chassis.conditional import IfMatch
from chassis.database import Database

_COLUMNS = (
    ${text(f"id, {columns}, created_at, updated_at, version")}
)
_MATCHES = "($2::bigint[] IS NULL OR version = ANY ($2))"


async def insert_${names.one}(database: Database, fields: ${names.model}Fields) -> ${names.model}:
    [row] = await database.fetch(
        ${text(f"INSERT INTO {names.many} ({columns}) VALUES ({values}) RETURNING", "{_COLUMNS}")},
% for field in fields:
        fields.${field.name},
% endfor
    )
    return ${names.model}.from_row(row)


async def select_${names.many}(database: Database, query: ${names.model}Query) -> list[${names.model}]:
    """Return the ${names.several} of a page, and one more if there is a next page."""
    after = query.position(int) or (0,)  # ids begin at 1
    rows = await database.fetch(
        f"SELECT {_COLUMNS} FROM ${names.many} WHERE id > $1 ORDER BY id LIMIT $2", *after, query.limit + 1
    )
    return ${names.model}.from_rows(rows)


async def select_${names.one}(database: Database, ${names.one}_id: int) -> ${names.model} | None:
    row = await database.load(f"SELECT {_COLUMNS} FROM ${names.many} WHERE id = ANY ($1)", ${names.one}_id)
    return ${names.model}.from_row(row) if row else None


async def update_${names.one}(database: Database, ${names.one}_id: int, if_match: IfMatch, fields: ${names.model}Fields) -> ${names.model} | None:
    row = await database.fetchrow(
        ${text(f"UPDATE {names.many} SET {changes}, updated_at = now(), version = version + 1 WHERE id = $1 AND", "{_MATCHES} RETURNING {_COLUMNS}")},
        ${names.one}_id,
        if_match.versions,
% for field in fields:
        fields.${field.name},
% endfor
    )
    return ${names.model}.from_row(row) if row else None


async def delete_${names.one}(database: Database, ${names.one}_id: int, if_match: IfMatch) -> bool:
    query = f"DELETE FROM ${names.many} WHERE id = $1 AND {_MATCHES} RETURNING id"
    return await database.fetchrow(query, ${names.one}_id, if_match.versions) is not None
