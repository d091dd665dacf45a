<%
one, many, model, parent = names.one, names.many, names.model, resource.parent
parent_id = resource.parent_id
key_type = "UUID" if resource.key == "uuid" else "int"
where = f"{parent_id}: {'UUID' if parent.key == 'uuid' else 'int'}, " if parent else ""
row = f"{where}{one}_id: {key_type}"
columns = ", ".join(field.name for field in fields)
stored = ", ".join(filter(None, ["id", parent_id, columns, "created_at, updated_at, version"]))
inserted = [*(["id"] if resource.key == "uuid" else []), *([parent_id] if parent else []), *(field.name for field in fields)]
values = ", ".join(f"${number}" for number, _ in enumerate(inserted, 1))
first = 4 if parent else 3
changes = ", ".join(f"{field.name} = ${number}" for number, field in enumerate(fields, first))
mine = f" AND {parent_id} = $3" if parent else ""
touched = "updated_at = now(), version = version + 1"
%>"""The SQL of ${names.several}, one function per statement."""

import json
from uuid import UUID

from app.${many}.models import ${model}, ${model}Fields, ${model}Query
from chassis.conditional import IfMatch
from chassis.database import Database
from chassis.models import Patch, new_uuid
from chassis.pagination import Listing, Page

_COLUMNS = (
    ${sql(stored)}
)
_MATCHES = "($2::bigint[] IS NULL OR version = ANY ($2))"
% if resource.has("list"):
_${many.upper()} = Listing(
    ${model},
    f"SELECT {_COLUMNS} FROM ${many}",
    key="id",
% if parent or resource.filters:
    filters={
% if parent:
        "${parent_id}": "${parent_id} = $",
% endif
% for parameter in resource.filters:
        "${parameter.name}": ${parameter.condition},
% endfor
    },
% endif
)
% endif


async def insert_${one}(database: Database, ${where}fields: ${model}Fields) -> ${model}:
    [row] = await database.fetch(
        ${sql(f"INSERT INTO {many} ({', '.join(inserted)}) VALUES ({values}) RETURNING", "{_COLUMNS}")},
% if resource.key == "uuid":
        new_uuid(),
% endif
% if parent:
        ${parent_id},
% endif
% for field in fields:
        ${field.value("fields")},
% endfor
    )
    return ${model}.from_row(row)
% if resource.has("list"):


async def select_${many}(database: Database, ${where}query: ${model}Query) -> Page[${model}]:
    return await _${many.upper()}.page(database, query${f", {parent_id}={parent_id}" if parent else ""})
% endif


async def select_${one}(database: Database, ${row}) -> ${model} | None:
    row = await database.load(f"SELECT {_COLUMNS} FROM ${many} WHERE id = ANY ($1)", ${one}_id)
    return ${model}.from_row(row) if row${f' and row["{parent_id}"] == {parent_id}' if parent else ""} else None
% if resource.has("put"):


async def update_${one}(database: Database, ${row}, if_match: IfMatch, fields: ${model}Fields) -> ${model} | None:
    row = await database.fetchrow(
        ${sql(f"UPDATE {many} SET {changes}, {touched} WHERE id = $1{mine} AND", "{_MATCHES} RETURNING {_COLUMNS}")},
        ${one}_id,
        if_match.versions,
% if parent:
        ${parent_id},
% endif
% for field in fields:
        ${field.value("fields")},
% endfor
    )
    return ${model}.from_row(row) if row else None
% endif
% if resource.has("patch"):


async def patch_${one}(database: Database, ${row}, if_match: IfMatch, patch: Patch[${model}Fields]) -> ${model} | None:
    row = await database.fetchrow(
        ${sql(f"UPDATE {many} SET ({columns}) = (SELECT {columns} FROM jsonb_populate_record({many}, ${first}::jsonb)), {touched} WHERE id = $1{mine} AND", "{_MATCHES} RETURNING {_COLUMNS}")},
        ${one}_id,
        if_match.versions,
% if parent:
        ${parent_id},
% endif
        patch.to_json(),
    )
    return ${model}.from_row(row) if row else None
% endif
% if resource.has("delete"):


async def delete_${one}(database: Database, ${row}, if_match: IfMatch) -> bool:
    query = f"DELETE FROM ${many} WHERE id = $1${mine} AND {_MATCHES} RETURNING id"
    return await database.fetchrow(query, ${one}_id, if_match.versions${f", {parent_id}" if parent else ""}) is not None
% endif
