"""Filters, orders and pages of a list, compared with the whole list in memory."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
import pytest
from pydantic import Field

from chassis.database import Database
from chassis.errors import InvalidRequestError
from chassis.models import Row, Text
from chassis.pagination import Listing, PageQuery
from harness.served_by_index import complaints

TABLE = """
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE TABLE things (
    id uuid PRIMARY KEY, shop bigint NOT NULL, name text NOT NULL, tint colour NOT NULL, size int,
    price numeric NOT NULL, weight float8 NOT NULL, open boolean NOT NULL, day date, at timestamptz, "order" text
);
CREATE INDEX ON things (at, id);
CREATE INDEX ON things (id) WHERE at IS NULL;
"""
COLUMNS = 'id, shop, name, tint, size, price, weight, open, day, at, "order"'
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


class Thing(Row):
    """A row with a column of each type that a list can be sorted by."""

    id: UUID
    shop: int
    name: str
    tint: Literal["red", "green", "blue"]
    size: Annotated[int, Field(ge=0)] | None
    price: Annotated[Decimal, Field(allow_inf_nan=True)]
    weight: float
    open: bool
    day: date | None
    at: datetime | None
    order: str | None


Sort = Literal[
    "id", "name", "tint", "size", "price", "weight", "open", "day", "at", "order",
    "-id", "-name", "-tint", "-size", "-price", "-weight", "-open", "-day", "-at", "-order",
]  # fmt: skip


class ThingQuery(PageQuery):
    """Filters by equality, by a set, by a range and by null."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 7
    name: Text | None = None
    tint: list[Literal["red", "green", "blue"]] = Field(default=[])
    size_gte: int | None = None
    at_is_null: bool | None = None
    sort: Sort = "id"


FILTERS: dict[str, Any] = {
    "name": "name = $",
    "tint": "tint = ANY ($)",
    "size_gte": "size >= $",
    "at_is_null": {True: "at IS NULL", False: "at IS NOT NULL"},
}
THINGS = Listing(Thing, f"SELECT {COLUMNS} FROM things", key="id", filters=FILTERS)
OF_A_SHOP = Listing(Thing, f"SELECT {COLUMNS} FROM things", key="id", filters={**FILTERS, "shop": "shop = $"})


def thing(number: int) -> tuple[Any, ...]:
    """Make a row; rows share values, of which the neighbours differ in the last digit that a column holds."""
    few = number % 5
    return (
        UUID(int=number * 7919 % 100_003),
        number % 2,
        ["a", "é", "Z", "🙂", "a\tb"][few],
        ["red", "green", "blue"][number % 3],
        few or None,
        Decimal(["0.1", "0.10000000000000000000000000001", "-5", "1e3", "NaN"][few]),
        [0.1, 0.1 + 2**-56, -1e300, float("inf"), float("nan")][few],
        number % 4 == 0,
        [None, date(2026, 1, 1), date.max, date.min, date(2026, 1, 2)][few],
        [None, MOMENT, MOMENT + timedelta(microseconds=1), datetime.max, datetime.min][few],
        [None, "x", "y", "", "x"][few],
    )


@pytest.fixture
async def things(database_url: str, database: Database) -> AsyncIterator[Database]:
    """The database with 100 things."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(TABLE)
    await connection.copy_records_to_table("things", records=map(thing, range(1, 101)))
    yield database
    await connection.execute("DROP TABLE things; DROP TYPE colour")
    await connection.close()


async def ids(database: Database, query: ThingQuery, listing: Listing[Thing] = THINGS, **fixed: Any) -> list[UUID]:
    """Return the keys of all pages."""
    found: list[UUID] = []
    while True:
        page = await listing.page(database, query, **fixed)
        found += [each.id for each in page.items]
        if not page.next_cursor:
            return found
        query = type(query).model_validate(query.model_dump() | {"cursor": page.next_cursor})


async def of_one_statement(database: Database, condition: str, sort: str) -> list[UUID]:
    direction, column = ("DESC" if sort.startswith("-") else "ASC"), sort.removeprefix("-")
    order = f'ORDER BY "{column}" {direction}, id {direction}'
    return [row["id"] for row in await database.fetch(f"SELECT id FROM things WHERE {condition} {order}")]


@pytest.mark.parametrize("sort", Sort.__args__)  # type: ignore[attr-defined]
async def test_all_pages_together_are_the_list(things: Database, sort: Any) -> None:
    cases: dict[str, dict[str, Any]] = {
        "true": {},
        "name = 'é'": {"name": "é"},
        "tint = 'red'": {"tint": ["red"]},
        "tint IN ('red', 'blue') AND size >= 2": {"tint": ["red", "blue", "red"], "size_gte": 2},
        "at IS NULL": {"at_is_null": True},
        "at IS NOT NULL": {"at_is_null": False},
    }
    for condition, filters in cases.items():
        listed = await ids(things, ThingQuery(sort=sort, **filters))
        assert listed == await of_one_statement(things, condition, sort), condition
        assert len(listed) > 7


async def test_a_nested_list_has_the_rows_of_its_parent(things: Database) -> None:
    listed = await ids(things, ThingQuery(tint=["red", "green"]), OF_A_SHOP, shop=1)
    assert listed == await of_one_statement(things, "shop = 1 AND tint IN ('red', 'green')", "id")
    assert await ids(things, ThingQuery(), OF_A_SHOP, shop=None) == []


async def test_a_page_shows_rows_once_while_rows_come_and_go(things: Database) -> None:
    page = await THINGS.page(things, ThingQuery(sort="-at", limit=30))
    seen = [each.id for each in page.items]
    await things.execute("DELETE FROM things WHERE id = $1", seen[3])
    assert page.next_cursor
    rest = await ids(things, ThingQuery(sort="-at", limit=30, cursor=page.next_cursor))
    assert not set(seen) & set(rest)
    assert len(seen) + len(rest) == 100


@pytest.mark.parametrize(
    ("sort", "position"),
    [
        ("size", (2**40, UUID(int=1))),  # an int4
        ("size", ("5", UUID(int=1))),
        ("size", (True, UUID(int=1))),
        ("size", (2**63, UUID(int=1))),
        ("name", (None, UUID(int=1))),
        ("name", ("a\x00b", UUID(int=1))),
        ("name", ("\ud800", UUID(int=1))),
        ("tint", ("pink", UUID(int=1))),
        ("price", ("x", UUID(int=1))),
        ("price", ("1e999999", UUID(int=1))),
        ("price", ("1E+999999999", UUID(int=1))),
        ("weight", (1, UUID(int=1))),
        ("open", (1, UUID(int=1))),
        ("day", ("2026-13-01", UUID(int=1))),
        ("day", ("20260101", UUID(int=1))),
        ("at", ("infinity", UUID(int=1))),
        ("at", ("0001-01-01T00:00:00+23:59", UUID(int=1))),
        ("at", (5, UUID(int=1))),
        ("at", (None,)),
        ("id", ("1", )),
        ("id", (UUID(int=1), 5)),
        ("id", ("{00000000-0000-0000-0000-000000000001}",)),
    ],
    ids=repr,
)  # fmt: skip
async def test_a_forged_cursor_is_refused(things: Database, sort: Any, position: tuple[Any, ...]) -> None:
    query = ThingQuery(sort=sort)
    with pytest.raises(InvalidRequestError) as caught:
        await THINGS.page(things, query.model_copy(update={"cursor": query.cursor_after(position)}))
    [mistake] = caught.value.field_errors
    assert (mistake.where, mistake.name) == ("parameter", "cursor")
    assert mistake.detail.startswith("Not a cursor of this list")


@pytest.mark.parametrize(
    ("sort", "position"),
    [
        ("price", ("NaN", UUID(int=1))),
        ("price", ("sNaN", UUID(int=1))),
        ("price", ("-Infinity", UUID(int=1))),
        ("weight", (float("nan"), UUID(int=1))),
        ("day", ("9999-12-31", UUID(int=1))),
        ("at", ("9999-12-31T23:59:59.999999", UUID(int=1))),
        ("at", ("9999-12-31T23:59:59.999999+00:00", UUID(int=1))),
        ("at", ("2026-01-01T00:00:00", UUID(int=1))),
    ],
    ids=repr,
)
async def test_a_forged_cursor_of_values_that_can_be_is_a_page(
    things: Database, sort: Any, position: tuple[Any, ...]
) -> None:
    query = ThingQuery(sort=sort)
    await THINGS.page(things, query.model_copy(update={"cursor": query.cursor_after(position)}))


async def test_an_error_of_the_statement_is_not_the_cursor_s(things: Database) -> None:
    listing = Listing(Thing, f"SELECT {COLUMNS} FROM things", key="id", filters={"name": "1 / 0 = length($)"})
    query = ThingQuery(name="a")
    for cursor in ("", query.cursor_after((UUID(int=1),))):
        with pytest.raises(asyncpg.DivisionByZeroError):
            await listing.page(things, query.model_copy(update={"cursor": cursor}))


async def test_late_pages_of_columns_with_nulls_are_read_from_the_index(things: Database) -> None:
    await things.execute(
        "INSERT INTO things SELECT gen_random_uuid(), 1, '', 'red', 1, 1, 1, true, NULL, "
        "CASE WHEN number % 2 = 0 THEN now() + number * interval '1 microsecond' END, '' "
        "FROM generate_series(1, 100000) AS number"
    )
    await things.execute("ANALYZE things")
    somewhere = await things.fetchrow("SELECT at, id FROM things WHERE at > '2000-01-01' ORDER BY at OFFSET 25000")
    null = await things.fetchrow("SELECT at, id FROM things WHERE at IS NULL ORDER BY id OFFSET 25000")
    assert somewhere
    assert null
    found = {}
    for sort in ("at", "-at"):
        for position in ((), tuple(somewhere), tuple(null)):
            query = ThingQuery(sort=sort, limit=20)
            query = query.model_copy(update={"cursor": query.cursor_after(position) if position else ""})
            async with things.connection() as connection:
                found[sort, position] = await complaints(connection, *THINGS.statement(query), most=22)
    for is_null in (True, False):
        query = ThingQuery(at_is_null=is_null, limit=20, sort="id" if is_null else "at")
        async with things.connection() as connection:
            found[query.sort, (is_null,)] = await complaints(connection, *THINGS.statement(query), most=22)
    assert {case: each for case, each in found.items() if each} == {}


def test_a_cursor_holds_every_microsecond() -> None:
    query = ThingQuery(sort="at")
    for at in (MOMENT, MOMENT + timedelta(microseconds=1), datetime.max, None):
        cursor = query.cursor_after((at, UUID(int=5)))
        assert query.model_copy(update={"cursor": cursor}).position(datetime | None, UUID) == (at, UUID(int=5))


def listing(**changes: Any) -> Listing[Thing]:
    options: dict[str, Any] = {"key": "id", "filters": FILTERS} | changes
    return Listing(Thing, f"SELECT {COLUMNS} FROM things", **options)


class Sorted(PageQuery):
    """A query whose order is free text."""

    sort: str = "id"


class SortedByOther(PageQuery):
    """A query with an order that is no column."""

    sort: Literal["id", "colour"] = "id"


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: listing(key="number"), "'number' is no field of Thing; sort by one of id, shop"),
        (lambda: listing(key="size"), "the key 'size' may be null"),
        (lambda: listing(filters={"name": "name = 5"}), "the filter 'name' is 'name = 5'; write $ for the value"),
        (lambda: listing(filters={"name": "name = $1"}), "write $ for the value"),
        (lambda: listing(filters={"open": {True: "open = $"}}), "none in the conditions of a mapping"),
        (lambda: listing(filters={"nam": "name = $"}).statement(ThingQuery()), "the filters ['nam'] are no fields"),
        (lambda: OF_A_SHOP.statement(ThingQuery()), "the filters ['shop'] are no fields of ThingQuery: add the fields"),
        (lambda: THINGS.statement(ThingQuery(), shop=5), "['shop'] are no filters"),
        (lambda: listing(filters={}).statement(Sorted()), 'Sorted.sort should be a Literal, such as Literal["id", '),
        (lambda: listing(filters={}).statement(SortedByOther()), "'colour' is no field of Thing"),
        (
            lambda: listing(filters={"at_is_null": {True: "at IS NULL"}}).statement(ThingQuery(at_is_null=False)),
            "the filter 'at_is_null' has no condition for False",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_the_code_is_named(use: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        use()


class Cheap(Row):
    """A row with a field that loses digits of its column."""

    id: UUID
    price: float


class CheapQuery(PageQuery):
    """An order by that field."""

    limit: int = 1
    sort: Literal["price"] = "price"


async def test_a_sort_column_of_another_type_than_its_field_is_named(things: Database) -> None:
    with pytest.raises(ValueError, match="the column price has a Decimal, and the field price of Cheap"):
        await Listing(Cheap, "SELECT id, price FROM things", key="id").page(things, CheapQuery())


class Words(Row):
    """A row whose type no cursor can hold."""

    id: list[str]


def test_a_type_that_no_cursor_can_hold_is_named() -> None:
    with pytest.raises(ValueError, match=r"Listing of Words: id: a cursor cannot hold .*sort by columns of"):
        Listing(Words, "SELECT id FROM things", key="id")


def test_clients_choose_no_part_of_the_text() -> None:
    """All their values are parameters."""
    name = "'; DROP TABLE things; --"
    query = ThingQuery(name=name, size_gte=123456789, limit=987)
    query = query.model_copy(update={"cursor": query.cursor_after((UUID(int=314159),))})
    text, values = THINGS.statement(query)
    assert not [each for each in ("DROP", "123456789", "988", "314159") if each in text]
    assert values == [name, 123456789, UUID(int=314159), 988]
