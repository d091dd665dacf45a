"""An index serves each filter and each order of the example's list, on the first page and on a late one."""

from itertools import product
from typing import Any

import pytest

from app.items import queries
from app.items.models import ItemQuery
from chassis.database import Database
from harness.served_by_index import complaints

LIMIT = 20
FILL = """
INSERT INTO items (name, description, price_cents)
SELECT 'Item ' || number % 500, '', number * 7919 % 50000 FROM generate_series(1, 100000) AS number
"""
SORTS = ["id", "-id", "price_cents", "-price_cents"]
FILTERS: list[dict[str, Any]] = [{}, {"name": ["Item 7"]}, {"name": ["Item 7", "Item 8", "Item 9"]}]
WIDE, NARROW = {"price_cents_gte": 100, "price_cents_lt": 49000}, {"price_cents_gte": 100, "price_cents_lt": 105}
# A range is served in the order of its column. In another order, its rows are read and sorted.
CASES = [
    *product(SORTS, FILTERS),
    *product(["price_cents", "-price_cents"], [WIDE, *({**WIDE, **each} for each in FILTERS)]),
    *product(["id", "-id"], [NARROW]),
]


async def middle(database: Database, query: ItemQuery) -> str:
    """Return a cursor to the middle of a list."""
    text, values = queries._ITEMS.statement(query)  # as the tests of a resource may
    values[-1] = 10**6  # the limit
    rows = await database.fetch(text, *values)
    row = rows[len(rows) // 2]
    column = query.sort.removeprefix("-")
    return query.cursor_after((row["id"],) if column == "id" else (row[column], row["id"]))


@pytest.fixture
async def filled(database: Database) -> Database:
    """The database with 100,000 items."""
    await database.execute(FILL)
    await database.execute("ANALYZE items")
    return database


async def test_each_filter_and_order(filled: Database) -> None:
    found = {}
    for sort, filters in CASES:
        first = ItemQuery(sort=sort, limit=LIMIT, **filters)
        late = first.model_copy(update={"cursor": await middle(filled, first)})
        for page, query in {"first": first, "late": late}.items():
            most = (LIMIT + 1) * max(len(filters.get("name", [])), 1)
            async with filled.connection() as connection:
                found[sort, str(filters), page] = await complaints(
                    connection, *queries._ITEMS.statement(query), most=most
                )
    assert {case: each for case, each in found.items() if each} == {}


async def test_a_missing_index_is_found(filled: Database) -> None:
    await filled.execute("DROP INDEX items_price_cents")
    try:
        query = ItemQuery(sort="price_cents", limit=LIMIT)
        async with filled.connection() as connection:
            assert await complaints(connection, *queries._ITEMS.statement(query), most=LIMIT + 1)
    finally:
        await filled.execute("CREATE INDEX items_price_cents ON items (price_cents, id)")
