<%! import re %>\
<%
one, many, model, parent = names.one, names.many, names.model, resource.parent
PATH = "path" if parent else "PATH"
itself = [field for field in fields if field.type.table == many]
plain = [field for field in fields if not field.type.table and not field.unique]
unique = [field for field in fields if field.unique and field not in itself]
refs = [field for field in fields if field.type.table and field not in itself]
made = [field for field in unique if not field.type.table] + refs
nullable = [field for field in fields if field.nullable]
defaults = [field for field in fields if field.default]
filtered = [field for field in fields if field.filtered] if resource.has("list") else []
sorted_ = [field for field in fields if field.sorted] if resource.has("list") else []
missing = '"00000000-0000-4000-8000-000000000000"' if resource.key == "uuid" else "404404"
tables = {field.type.table: resource.others[field.type.table] for field in refs}
deletable = [field for field in [*refs, *itself] if resource.others[field.type.table].deleted]

def path_of(other, row):
    """Return Python source of the path of another resource's row."""
    *above, _ = re.findall(r"{(\w+)}", other.path)
    path = other.path.replace(f"{{{other.names.one}_id}}", f"{{{row}['id']}}")
    for name in above:
        path = path.replace(f"{{{name}}}", f"{{{row}['{name}']}}")
    return f'f"{path}"'
%>\
<%def name="paths()">\
% if parent:
    path = await new_path(client)
% endif
</%def>\
"""Tests of the API of ${names.several}."""

import asyncio
import json
import os
from itertools import count
from typing import Any, get_args

import asyncpg
import pytest
from yarl import URL

from app.${many} import models
from chassis.database import Database
from chassis.testing import Client
% for table, other in tables.items():
from tests.app.test_${table} import create as create_${other.names.one}
% endfor
% if parent and parent.names.many not in tables:
from tests.app.test_${parent.names.many} import create as create_${parent.names.one}
% endif

% if not parent:
PATH = "${resource.collection}"
% endif
MISSING = ${missing}
% if nullable:
NULLABLE = [${", ".join(f'"{field.name}"' for field in nullable)}]
% endif
ONE: dict[str, Any] = {
% for field in plain:
    "${field.name}": ${field.type.one},
% endfor
% for field in itself:
    "${field.name}": None,
% endfor
}
OTHER: dict[str, Any] = {
% for field in plain:
    "${field.name}": ${field.type.other},
% endfor
% for field in itself:
    "${field.name}": None,
% endfor
}
% if [field for field in made if not field.type.table]:
_numbers = count(1)
% endif


% if parent:
async def new_path(client: Client) -> str:
    """Return the path of the ${names.several} of a new ${parent.names.words}."""
    ${parent.names.one} = await create_${parent.names.one}(client)
    return f"/v1/${parent.names.path}/{${parent.names.one}['id']}/${names.path}"


% endif
% if made:
async def valid(client: Client, fields: dict[str, Any] = ONE) -> dict[str, Any]:
    """Return fields, with rows that they refer to and with values that no other row has."""
% if [field for field in made if not field.type.table]:
    number = next(_numbers)
% endif
    return fields | {
% for field in made:
% if field.type.table:
        "${field.name}": (await create_${resource.others[field.type.table].names.one}(client))["id"],
% else:
        "${field.name}": ${field.type.unique},
% endif
% endfor
    }


% endif
<%
def body(fields="ONE"):
    """Return Python source of a valid body."""
    if not made:
        return fields
    return "await valid(client)" if fields == "ONE" else f"await valid(client, {fields})"
%>\
% if parent:
async def create(client: Client, path: str | None = None, **fields: Any) -> dict[str, Any]:
    """Create ${names.a}, in a new ${parent.names.words} unless there is a path."""
    response = await client.post(path or await new_path(client), json=${body()} | fields)
% else:
async def create(client: Client, **fields: Any) -> dict[str, Any]:
    """Create ${names.a}."""
    response = await client.post(PATH, json=${body()} | fields)
% endif
    assert response.status == 201, await response.text()
    created: dict[str, Any] = await response.json()
    return created


async def pointers(response: Any) -> list[str]:
    return [each["pointer"] for each in (await response.json())["errors"]]


<%
create = "create(client, path" if parent else "create(client"
def creating(fields=""):
    return f"await {create}{', ' if fields else ''}{fields})"
schema_only = '@pytest.mark.skipif("DATABASE_TEMPLATE" in os.environ, reason="the schema belongs to newer code")'
%>\
# Columns that only an earlier or a later release uses (expand, then contract).
OF_OTHER_RELEASES: set[str] = set()


${schema_only}
async def test_the_model_has_the_columns_of_the_table(migrated_url: str) -> None:
    connection = await asyncpg.connect(migrated_url)
    columns = await connection.fetch(
        "SELECT column_name, is_nullable FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name = '${many}'"
    )
    await connection.close()
    nullable = {row["column_name"]: row["is_nullable"] == "YES" for row in columns}
    assert nullable.keys() >= OF_OTHER_RELEASES
    assert {name: nullable[name] for name in nullable.keys() - OF_OTHER_RELEASES} == {
        name: type(None) in get_args(field.annotation) for name, field in models.${model}.model_fields.items()
    }
% if resource.indexes or unique:


${schema_only}
async def test_references_filters_and_orders_have_their_indexes(migrated_url: str) -> None:
    needed: list[tuple[list[str], str | None]] = [
% for index in resource.indexes:
        ([${", ".join(f'"{each}"' for each in index.columns)}], ${f'"({index.condition})"' if index.condition else None}),
% endfor
% for field in unique:
% if field.constrained:
        (["${field.name}"], None),
% endif
% endfor
    ]
    connection = await asyncpg.connect(migrated_url)
    indexes = await connection.fetch(
        "SELECT array_agg(attname::text ORDER BY number) AS columns, pg_get_expr(indpred, indrelid) AS condition "
        "FROM pg_index, unnest(indkey) WITH ORDINALITY AS part (attnum, number), pg_attribute AS attribute "
        "WHERE indrelid = '${many}'::regclass AND indisvalid "
        "AND attrelid = indrelid AND attribute.attnum = part.attnum GROUP BY indexrelid, indrelid, indpred"
    )
    await connection.close()
    found = [(row["columns"], row["condition"]) for row in indexes]
    for columns, condition in needed:
        assert (columns, condition) in [(each[: len(columns)], of) for each, of in found]
% endif
<% broken = [field for field in fields if field.type.check] %>\
% if broken:


${schema_only}
async def test_the_database_has_the_rules_too(client: Client, database: Database) -> None:
    await create(client)
    for assignment in (
% for field in broken:
        "${field.name} = ${field.type.broken}",
% endfor
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(f"UPDATE ${many} SET {assignment}")
% endif


async def test_what_is_created_can_be_read_at_its_location(client: Client) -> None:
${paths()}\
    fields = ${body()}
    response = await client.post(${PATH}, json=fields)
    assert response.status == 201
    created = await response.json()
    assert created == fields | {name: created[name] for name in (${", ".join(f'"{each}"' for each in filter(None, ["id", resource.parent_id, "created_at", "updated_at"]))})}
    assert created["created_at"] == created["updated_at"]
    read = await client.get(response.headers["Location"])
    assert (read.status, await read.json()) == (200, created)
<% extremes = [field for field in fields if not field.unique and field.type.extreme] %>\
% if extremes:


async def test_values_at_their_bounds_are_stored_as_they_are(client: Client) -> None:
    extremes: dict[str, list[Any]] = {
% for field in extremes:
        "${field.name}": [${", ".join(field.type.extreme)}],
% endfor
    }
    for name, values in extremes.items():
        for value in values:
            assert (name, (await create(client, **{name: value}))[name]) == (name, value)
% endif
% if nullable:


async def test_fields_that_may_be_null_are_stored_as_null(client: Client) -> None:
    nulls = dict.fromkeys(NULLABLE)
    assert (await create(client, **nulls)).items() >= nulls.items()
% endif
% if defaults or nullable:


async def test_a_field_that_is_left_out_has_its_default(client: Client) -> None:
    defaults: dict[str, Any] = {
% for field in fields:
% if field.optional:
        "${field.name}": ${field.default.json if field.default else None},
% endif
% endfor
    }
${paths()}\
    fields = ${body()}
    response = await client.post(${PATH}, json={name: fields[name] for name in fields.keys() - defaults.keys()})
    created = await response.json()
    assert response.status == 201, created
    assert {name: created[name] for name in defaults} == defaults
% endif
% if resource.has("put"):


async def test_what_is_replaced_keeps_its_id_and_its_time_of_creation(client: Client) -> None:
${paths()}\
    created, fields = ${creating()}, ${body("OTHER")}
    response = await client.put(f"{${PATH}}/{created['id']}", json=fields)
    assert response.status == 200
    replaced = await response.json()
    assert replaced == created | fields | {"updated_at": replaced["updated_at"]}
    assert replaced["updated_at"] > created["updated_at"]
    assert await (await client.get(f"{${PATH}}/{created['id']}")).json() == replaced
% endif
% if resource.has("patch"):


async def test_a_patch_changes_one_field_and_leaves_the_others_alone(client: Client) -> None:
${paths()}\
    current, others = ${creating()}, ${body("OTHER")}
    for name, value in others.items():
        response = await client.patch(f"{${PATH}}/{current['id']}", json={name: value})
        changed = await response.json()
        assert (response.status, changed) == (200, current | {name: value, "updated_at": changed["updated_at"]})
        assert await (await client.get(f"{${PATH}}/{current['id']}")).json() == changed
        current = changed


async def test_a_patch_with_null_is_null_where_the_field_may_be(client: Client) -> None:
${paths()}\
    created = ${creating()}
    for name in (${", ".join(f'"{field.name}"' for field in fields)},):
        response = await client.patch(f"{${PATH}}/{created['id']}", json={name: None})
% if nullable:
        if name in NULLABLE:
            assert (name, response.status, (await response.json())[name]) == (name, 200, None)
        else:
            assert (response.status, await pointers(response)) == (422, [f"#/{name}"])
% else:
        assert (response.status, await pointers(response)) == (422, [f"#/{name}"])
% endif
% endif
% if resource.has("delete"):


async def test_what_is_deleted_is_gone(client: Client) -> None:
${paths()}\
    created = ${creating()}
    response = await client.delete(f"{${PATH}}/{created['id']}")
    assert (response.status, await response.read()) == (204, b"")
    assert (await client.get(f"{${PATH}}/{created['id']}")).status == 404
% endif
<% methods = ["GET", *(method for method in ("PUT", "PATCH", "DELETE") if resource.has(method.lower()))] %>\


async def test_what_is_not_there_is_a_404_that_names_it(client: Client) -> None:
${paths()}\
% for method in methods:
    response = await client.${method.lower()}(f"{${PATH}}/{MISSING}"${f", json={body()}" if method in {"PUT", "PATCH"} else ""})
    assert (response.status, (await response.json())["detail"]) == (404, f"There is no ${names.words} {MISSING}.")
% endfor


async def test_an_id_that_cannot_be_one_is_named(client: Client) -> None:
${paths()}\
    for identifier in (${'"x", "1", f"urn:uuid:{MISSING}", MISSING.replace("-", "")' if resource.key == "uuid" else '"0", "-1", "x", "01", str(2**63)'}):
        response = await client.get(f"{${PATH}}/{identifier}")
        assert (identifier, response.status) == (identifier, 422)
        assert [each["parameter"] for each in (await response.json())["errors"]] == ["${one}_id"]
% if parent:


async def test_a_parent_that_is_not_there_is_a_404_that_names_it(client: Client) -> None:
    missing = ${'"00000000-0000-4000-8000-000000000000"' if parent.key == "uuid" else "404404"}
    path = f"/v1/${parent.names.path}/{missing}/${names.path}"
    responses = [await client.post(path, json=${body()})${", await client.get(path)" if resource.has("list") else ""}]
    for response in responses:
        assert response.status == 404
        assert (await response.json())["detail"] == f"There is no ${parent.names.words} {missing}."


async def test_the_path_of_another_parent_does_not_reach_it(client: Client) -> None:
    created, other = await create(client), await new_path(client)
% for method in methods:
    response = await client.${method.lower()}(f"{other}/{created['id']}"${f", json={body()}" if method in {"PUT", "PATCH"} else ""})
    assert response.status == 404
% endfor
% endif
% if unique:


async def test_a_value_that_is_taken_is_a_409_that_names_the_field(client: Client) -> None:
${paths()}\
    created = ${creating()}
    for name in (${", ".join(f'"{field.name}"' for field in unique)},):
        response = await client.post(${PATH}, json=${body()} | {name: created[name]})
        assert (response.status, await pointers(response)) == (409, [f"#/{name}"])
% endif
% if refs or itself:


async def test_a_reference_to_what_is_not_there_is_a_422_that_names_the_field(client: Client) -> None:
${paths()}\
    missing: dict[str, Any] = {
% for field in [*refs, *itself]:
        "${field.name}": ${'"00000000-0000-4000-8000-000000000000"' if field.type.column == "uuid" else "404404"},
% endfor
    }
    for name, key in missing.items():
        response = await client.post(${PATH}, json=${body()} | {name: key})
        assert (response.status, await pointers(response)) == (422, [f"#/{name}"])
% endif
% for field in deletable:
<%
other = resource.others[field.type.table]
row = other.names.one if field.type.table != many else "referred"
maker = f"create_{other.names.one}" if field.type.table != many else "create"
%>\


async def test_what_${field.name}_refers_to_cannot_be_deleted(client: Client) -> None:
    ${row} = await ${maker}(client)
    await create(client, ${field.name}=${row}["id"])
    response = await client.delete(${path_of(other, row)})
    assert (response.status, "errors" in await response.json()) == (409, False)
% endfor
% if resource.has("put") or resource.has("patch") or resource.has("delete"):
<% method = next(method for method in ("PUT", "PATCH", "DELETE") if resource.has(method.lower())) %>\


async def test_what_has_changed_since_it_was_read_is_not_overwritten(client: Client) -> None:
${paths()}\
    fields = ${body()}
    created = await client.post(${PATH}, json=fields)
    location, old = created.headers["Location"], {"If-Match": created.headers["ETag"]}
% if method == "DELETE":
    deletions = await asyncio.gather(*(client.delete(location, headers=old) for _ in range(5)))
    assert sorted(response.status for response in deletions) == [204, 404, 404, 404, 404]
% else:
    changes = await asyncio.gather(*(client.${method.lower()}(location, json=fields, headers=old) for _ in range(5)))
    assert sorted(response.status for response in changes) == [200, 412, 412, 412, 412]
% for each in methods[1:]:
    assert (await client.${each.lower()}(location, headers=old${", json=fields" if each != "DELETE" else ""})).status == 412
% endfor
    current = {"If-Match": (await client.get(location)).headers["ETag"]}
    assert (await client.${methods[-1].lower()}(location, headers=current${", json=fields" if methods[-1] != "DELETE" else ""})).status == ${204 if methods[-1] == "DELETE" else 200}
% endif
% endif


async def test_values_that_break_a_rule_are_named(client: Client) -> None:
    """Each wrong value stands beside the pointer into it."""
    all_wrong: dict[str, list[tuple[Any, str]]] = {
% for field in fields:
        "${field.name}": [${", ".join(f'({value}, "{into}")' for value, into in [*field.type.wrong, *([] if field.nullable else [("None", "")])])}],
% endfor
        "unknown": [(1, "")],
    }
${paths()}\
    fields = ${body()}
    for name, wrong in all_wrong.items():
        for value, into in wrong:
            response = await client.post(${PATH}, json=fields | {name: value})
            assert (value, response.status, await pointers(response)) == (value, 422, [f"#/{name}{into}"])
<% required = [field for field in fields if not field.optional] %>\
% if required:


async def test_fields_that_are_required_are_named(client: Client) -> None:
${paths()}\
    fields = ${body()}
    for name in (${", ".join(f'"{field.name}"' for field in required)},):
        response = await client.post(${PATH}, json={other: fields[other] for other in fields.keys() - {name}})
        assert (response.status, await pointers(response)) == (422, [f"#/{name}"])
% endif
% if resource.has("list"):


async def listed(client: Client, path: str, **parameters: Any) -> list[dict[str, Any]]:
    """Return what all pages have."""
    found, url = list[dict[str, Any]](), str(URL(path).with_query(parameters))
    while url:
        response = await client.get(URL(url, encoded=True))
        assert response.status == 200, await response.text()
        found += (await response.json())["items"]
        link = response.links.get("next")
        url = str(URL(link["url"]).relative()) if link else ""
    return found


async def test_pages_show_everything_once_in_order(client: Client) -> None:
${paths()}\
    created = [${creating()} for _ in range(5)]
    assert await listed(client, ${PATH}, limit=2) == created
    assert await listed(client, ${PATH}, limit=2, sort="-id") == created[::-1]


async def test_a_parameter_of_the_list_that_cannot_be_is_named(client: Client) -> None:
${paths()}\
    for name, value in {"cursor": "x", "limit": "0", "sort": "x", "unknown": "1"}.items():
        response = await client.get(f"{${PATH}}?{name}={value}")
        assert response.status == 422
        assert [each["parameter"] for each in (await response.json())["errors"]] == [name]
% endif
<%
by_value = [field for field in filtered if not field.type.listed and field not in itself]
by_range = [field for field in filtered if field.type.ordered]
by_null = [field for field in filtered if field.nullable and field not in itself]
by_itself = [field for field in filtered if field in itself]
by_part = [field for field in filtered if field.type.listed]
def named(some):
    return ", ".join(f'"{field.name}"' for field in some)
two = f"{creating()}, {creating('**' + ('(' + body('OTHER') + ')' if made else 'OTHER'))}"
%>\
% if by_value:


async def test_the_list_can_be_filtered_by_values(client: Client) -> None:
${paths()}\
    one, other = ${two}
    for name in (${named(by_value)},):
        values = [json.dumps(each[name]).strip('"') for each in (one, other)]
        assert (name, await listed(client, ${PATH}, **{name: values[0]})) == (name, [one])
        assert (name, await listed(client, ${PATH}, **{name: values})) == (name, [one, other])
% endif
% if by_range:


async def test_the_list_can_be_filtered_by_a_range(client: Client) -> None:
${paths()}\
    one, other = ${two}
    for name in (${named(by_range)},):
        assert (name, await listed(client, ${PATH}, **{f"{name}_gte": other[name]})) == (name, [other])
        assert (name, await listed(client, ${PATH}, **{f"{name}_lt": other[name]})) == (name, [one])
% endif
% if by_null:


async def test_the_list_can_be_filtered_by_null(client: Client) -> None:
${paths()}\
    null = ${creating("**dict.fromkeys(NULLABLE)")}
    one = ${creating()}
    for name in (${named(by_null)},):
        assert (name, await listed(client, ${PATH}, **{f"{name}_is_null": "true"})) == (name, [null])
        assert (name, await listed(client, ${PATH}, **{f"{name}_is_null": "false"})) == (name, [one])
% endif
% for field in by_itself:


async def test_the_list_can_be_filtered_by_${field.name}(client: Client) -> None:
${paths()}\
    referred = ${creating()}
    one = ${creating(f'{field.name}=referred["id"]')}
    assert await listed(client, ${PATH}, ${field.name}=referred["id"]) == [one]
    assert await listed(client, ${PATH}, ${field.name}_is_null="true") == [referred]
% endfor
% if by_part:


async def test_the_list_can_be_filtered_by_parts_of_a_list(client: Client) -> None:
${paths()}\
    one, other = ${two}
    for name in (${named(by_part)},):
        parts = [json.dumps(each).strip('"') for each in other[name]]
        assert (name, await listed(client, ${PATH}, **{name: parts[0]})) == (name, [one, other])
        assert (name, await listed(client, ${PATH}, **{name: parts})) == (name, [other])
% endif
% if sorted_:


async def test_the_list_can_be_sorted_in_both_directions(client: Client) -> None:
${paths()}\
    bodies = [${", ".join([body("OTHER"), body(), body("OTHER"), body()])}]
% if [field for field in sorted_ if field.nullable]:
    bodies += [${body()} | dict.fromkeys(NULLABLE) for _ in range(2)]
% endif
    created = [${creating("**fields")} for fields in bodies]
    for name in (${named(sorted_)},):
        ordered = [row for *_, row in sorted((row[name] is None, row[name], row["id"], row) for row in created)]
        assert (name, await listed(client, ${PATH}, limit=2, sort=name)) == (name, ordered)
        assert (name, await listed(client, ${PATH}, limit=2, sort=f"-{name}")) == (name, ordered[::-1])
% endif
