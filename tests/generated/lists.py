"""The scenarios of tests/test_resource_lists.py: they run in a service with the resources that are made there."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, get_args

import asyncpg
import pytest

from chassis.pagination import Listing, PageQuery
from harness.served_by_index import complaints

ROWS, LIMIT, PARENTS = 100_000, 20, 7
# ANALYZE draws 300 rows for each unit of this target. With as many as there are, no plan depends on which it draws.
STATISTICS = ROWS // 300 + 1
MOST = 25 * (LIMIT + 1)  # rows for a page: PostgreSQL may drop some rows of the index of the order
MOST_OF_FREQUENT = ROWS // 10  # for values that many rows have, which it takes for evenly spread
# The rows after it have nulls, as the newest rows often do: in the order of the key, far behind. PostgreSQL takes nulls
# and keys for independent, expects a handful of such rows behind a cursor, and sometimes reads and sorts all of them.
NULLS = ROWS - 3_000
VALUES = {  # by the first word of a field's name
    "str": "'Value ' || number % 500",
    "int": "number % 500",
    "bigint": "number % 500",
    "decimal": "(number % 500)::numeric / 100",
    "float": "(number % 500)::double precision / 4",
    "bool": "number % 2 = 0",
    "date": "'2026-01-01'::date + number % 500",
    "datetime": "'2026-01-01T00:00:00Z'::timestamptz + number % 500 * '1 minute'::interval",
    "uuid": "md5((number % 500)::text)::uuid",
    "enum": "('{draft,placed,paid}'::text[])[number % 3 + 1]",
    "ref": "number % 500 + 1",
    "list": "ARRAY['Tag ' || number % 2500]",
    "unique": "'Value ' || lpad(number::text, 6, '0')",
}
FIXED: dict[str, dict[str, Any]] = {"things": {}, "pieces": {"thing_id": 1}}
TABLES = {"things": "bigint", "pieces": "uuid"}


@dataclass(frozen=True)
class Case:
    """A list with one filter at most, in one order.

    Attributes:
        sort: the order.
        filters: the filter, as in the query string.
        most: how many rows of tables and indexes a page may read.
    """

    sort: str
    filters: dict[str, Any] = field(default_factory=dict)
    most: int = MOST


class Resource:
    """A generated resource.

    Args:
        table: its table.
    """

    def __init__(self, table: str) -> None:
        module, models = import_module(f"app.{table}.queries"), import_module(f"app.{table}.models")
        model = table.removesuffix("s").title()
        self.table, self.fixed, self.key = table, FIXED[table], TABLES[table]
        self.listing: Listing[Any] = getattr(module, f"_{table.upper()}")
        self.row: Any = getattr(models, model)
        self.query: type[PageQuery] = getattr(models, f"{model}Query")
        self.fields: list[str] = list(getattr(models, f"{model}Fields").model_fields)
        self.sorts: tuple[str, ...] = get_args(self.query.model_fields["sort"].annotation)

    async def fill(self, connection: Any) -> None:
        """Add the rows, and have PostgreSQL look at them."""
        columns, values = list(self.fields), [value(column) for column in self.fields]
        if self.key == "uuid":
            columns.append("id")
            values.append("lpad(to_hex(number), 32, '0')::uuid")
        for column in self.fixed:
            columns.append(column)
            values.append(f"number % {PARENTS} + 1")
        select = f"SELECT {', '.join(values)} FROM generate_series(1, {ROWS}) AS number"
        await connection.execute(f"INSERT INTO {self.table} ({', '.join(columns)}) {select}")
        await connection.execute(f"SET default_statistics_target = {STATISTICS}")
        await connection.execute(f"VACUUM ANALYZE {self.table}")

    async def cases(self, connection: Any) -> list[Case]:
        """Return a case for each order, and for each filter with the orders that an index can serve it in."""
        rows = [
            self.row.from_row(
                await connection.fetchrow(f"SELECT * FROM {self.table} ORDER BY id OFFSET {place} LIMIT 1")
            )
            for place in (10_008, 30_030, 45_302)
        ]
        values = [row.model_dump(mode="json") for row in rows]
        return [Case(sort) for sort in self.sorts] + [
            case for name in self.fields for case in self._filtered(name, [each[name] for each in values])
        ]

    def _filtered(self, name: str, values: list[Any]) -> Iterator[Case]:
        by_key, by_itself = ("id", "-id"), (name, f"-{name}")
        if name.startswith("list"):
            yield from (Case(sort, {name: values[0]}) for sort in by_key)
            return
        most = MOST_OF_FREQUENT if name.startswith(("bool", "enum")) else MOST
        some = [*dict.fromkeys(values)]
        for sort in by_key:
            yield Case(sort, {name: [values[0]]}, most)
            yield Case(sort, {name: some}, most * len(some))
        ranges = {f"{name}_gte": values[0], f"{name}_lt": values[-1]}
        if ranges.keys() <= self.query.model_fields.keys():
            for sort in by_itself:
                yield from (Case(sort, {bound: value}) for bound, value in ranges.items())
                yield Case(sort, ranges)
        if f"{name}_is_null" in self.query.model_fields:
            yield from (Case(sort, {f"{name}_is_null": True}) for sort in by_key)
            yield from (Case(sort, {f"{name}_is_null": True}, ROWS - NULLS) for sort in by_itself)
            yield from (Case(sort, {f"{name}_is_null": False}) for sort in by_itself)

    async def complaints(self, connection: Any, case: Case) -> dict[str, list[str]]:
        """Return what no index serves, by the page, the first one and one behind a cursor."""
        first = self.query.model_validate({"sort": case.sort, "limit": LIMIT, **case.filters})
        queries = {"first": first}
        if cursor := await self._cursor(connection, first):
            queries["late"] = first.model_copy(update={"cursor": cursor})
        found = {}
        for page, query in queries.items():
            text, given = self.listing.statement(query, **self.fixed)
            found[page] = await complaints(connection, text, given, most=case.most)
        return {page: each for page, each in found.items() if each}

    async def _cursor(self, connection: Any, query: Any) -> str:
        """Return a cursor to the middle of a list; empty for a list of one page."""
        text, given = self.listing.statement(query, **self.fixed)
        given[-1] = ROWS  # the limit
        count = await connection.fetchval(f"SELECT count(*) FROM ({text}) AS list", *given)
        if count <= LIMIT:
            return ""
        row = await connection.fetchrow(f"SELECT * FROM ({text}) AS list OFFSET {count // 2} LIMIT 1", *given)
        columns = dict.fromkeys([query.sort.removeprefix("-"), "id"])
        cursor: str = query.cursor_after(tuple(row[column] for column in columns))
        return cursor


def value(column: str) -> str:
    """Return SQL of a column's value. The fields whose names end in `_b` may be null."""
    kind, end = column.removesuffix("_id").split("_")
    text = VALUES[kind]
    given = "number % 2 = 1" if kind == "unique" else f"number <= {NULLS}"
    return f"CASE WHEN {given} THEN {text} END" if end == "b" else text


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    """A connection to the database, in which all tables are full."""
    opened = await asyncpg.connect(database_url)
    try:
        items = "SELECT 'Item ' || number, '', 1 FROM generate_series(1, 500) AS number"
        await opened.execute(f"INSERT INTO items (name, description, price_cents) {items}")
        for table in TABLES:
            await Resource(table).fill(opened)
        yield opened
    finally:
        await opened.close()


async def all_complaints(connection: Any, resource: Resource) -> dict[str, list[str]]:
    """Return what no index serves, by the case and the page."""
    found = {}
    for case in await resource.cases(connection):
        for page, said in (await resource.complaints(connection, case)).items():
            found[f"{resource.table} {case.filters} by {case.sort}, {page} page"] = said
    return found


@pytest.mark.timeout(300)
async def test_an_index_serves_each_filter_and_each_order(connection: Any) -> None:
    things, pieces = map(Resource, TABLES)
    found = await all_complaints(connection, things) | await all_complaints(connection, pieces)
    assert not found, "\n".join(f"{case}: {said}" for case, said in found.items())
    await connection.execute("DROP INDEX pieces_thing_id_date_b_id_idx")
    assert await all_complaints(connection, pieces), "a missing index is not found"
