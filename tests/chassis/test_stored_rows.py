"""Rows of a page are encoded without their models, exactly as their models are."""

import copy
import json
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

import asyncpg
import pytest
from aiohttp.test_utils import TestClient
from pydantic import BaseModel, Field, ValidationError, computed_field, field_serializer, field_validator
from pydantic import TypeAdapter as Adapter

from app.items.models import Item
from chassis.conditional import Versioned
from chassis.database import Database
from chassis.models import Date, DecimalString, Id, Row, StoredJson, Text, Timestamp, Uuid, WholeNumber
from chassis.models.row_encoder import row_encoder, row_json
from chassis.pagination import Listing, Page, PageQuery
from chassis.pagination.page import page_json
from chassis.pagination.stored_rows import StoredRows

MOMENT = datetime(2026, 1, 31, 12, 30, 59, tzinfo=UTC)


class Plain(Versioned):
    """A row of all types that are encoded without a model. Its version is not sent."""

    id: Id
    key: Uuid
    name: str
    note: Annotated[Text, Field(max_length=200)] | None
    colour: Literal["red", "green"]
    size: Annotated[int, Field(ge=-5, le=5)] | None
    count: WholeNumber
    open: bool
    day: Date
    at: Timestamp
    seen: datetime | None = None


SELECT = (
    "SELECT * FROM (SELECT 1::bigint AS id, '0b9ad1d5-9d39-4ab7-8c8e-6b8f0c1a2b3c'::uuid AS key, 'a'::text AS name, "
    "NULL::text AS note, 'red'::text AS colour, 0::int AS size, 7::bigint AS count, true AS open, "
    "'2026-01-31'::date AS day, '2026-01-31T12:30:59Z'::timestamptz AS at, NULL::timestamptz AS seen, "
    "1::bigint AS version, 'more' AS further) AS row"
)
PLAIN = Listing(Plain, SELECT, key="id")
TO_JSON = Adapter(Page[Plain]).serializer.to_json
ENCODE = page_json(Page[Plain], TO_JSON)
ROW_TO_JSON = Adapter(Plain).serializer.to_json
ENCODE_ROW = row_json(Plain, ROW_TO_JSON)


async def page_with(database: Database, **values: tuple[str, Any]) -> Page[Plain]:
    """Return a page of one row, in which columns have other values; each comes with the type of its column."""
    columns = ", ".join(f'{value[0]} AS "{name}"' for name, value in values.items())
    row = f"(SELECT {columns}) AS changed" if columns else ""
    names = [*Plain.model_fields]
    chosen = ", ".join(f'{"changed" if name in values else "row"}."{name}"' for name in names)
    select = f"SELECT {chosen} FROM ({SELECT}) AS row {', ' + row if row else ''}"
    return await Listing(Plain, f"SELECT * FROM ({select}) AS it", key="id").page(database, PageQuery())


TEXTS = ["", 'a\\b"c/d', "é🙂", "\x01\x08\x0c\x1f\x7f", "\u2028\u2029", "</script>", "\n\r\t"]
TIMES = [
    MOMENT,
    MOMENT + timedelta(microseconds=1),
    MOMENT + timedelta(milliseconds=500),
    datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999998, tzinfo=UTC),
]


def literal(value: Any) -> str:
    """Write a value as PostgreSQL's literal."""
    return "'" + str(value).replace("'", "''") + "'"


CASES: list[dict[str, tuple[str, Any]]] = [
    {},
    *({"name": (f"{literal(text)}::text", text), "note": (f"{literal(text)}::text", text)} for text in TEXTS),
    *({"at": (f"{literal(at)}::timestamptz", at), "seen": (f"{literal(at)}::timestamptz", at)} for at in TIMES),
    *({"id": (f"{number}::bigint", number)} for number in (1, 2**53 + 1, 2**63 - 1)),
    *({"count": (f"{number}::bigint", number)} for number in (1 - 2**53, 0, 2**53 - 1)),
    *({"size": (f"{number}::int", number)} for number in (-5, 5, "NULL")),
    *({"day": (f"{literal(day)}::date", day)} for day in (date(1, 1, 2), date(9999, 12, 30), date(2024, 2, 29))),
    {"open": ("false", False), "colour": ("'green'::text", "green")},
]


@pytest.mark.parametrize("values", CASES, ids=repr)
async def test_both_ways_give_the_same_bytes(database: Database, values: dict[str, tuple[str, Any]]) -> None:
    page = await page_with(database, **values)
    assert isinstance(page.items, StoredRows)
    assert page.items.sent() is not None
    encoded = ENCODE(page)
    assert encoded == TO_JSON(page)
    assert page.items.sent() is None, "pydantic has made the models"
    assert ENCODE(page) == encoded


@pytest.mark.parametrize("values", CASES, ids=repr)
async def test_both_ways_give_the_same_bytes_of_one_row(database: Database, values: dict[str, tuple[str, Any]]) -> None:
    [row] = (await page_with(database, **values)).items
    assert ENCODE_ROW(row) == ROW_TO_JSON(row)


EAST = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    "values",
    [
        {"at": MOMENT.replace(tzinfo=None)},
        {"at": MOMENT.astimezone(EAST)},
        {"at": datetime.max.replace(tzinfo=UTC)},
        {"note": "a" * 300, "size": 6},
        {"count": None, "unknown": object()},
    ],
    ids=["naive", "east", "infinite", "too large", "unknown"],
)
async def test_a_row_that_a_handler_has_changed_is_sent_as_pydantic_sends_it(
    database: Database, values: dict[str, Any]
) -> None:
    [row] = (await page_with(database)).items
    changed = row.model_copy(update=values)
    assert ENCODE_ROW(changed) == ROW_TO_JSON(changed, warnings=False)


async def test_what_msgspec_cannot_encode_is_left_to_pydantic(database: Database) -> None:
    class Name(BaseModel):
        first: str

    class Further(Plain):
        more: str = "more"

    [row] = (await page_with(database)).items
    changed = row.model_copy(update={"name": Name(first="a")})
    with pytest.warns(UserWarning, match="serialized value may not be as expected"):
        assert json.loads(ENCODE_ROW(changed))["name"] == {"first": "a"}
    further = Further(**row.model_dump(), version=1)
    assert ENCODE_ROW(further) == ROW_TO_JSON(further)


@pytest.mark.parametrize(
    "values",
    [
        {"at": ("'infinity'::timestamptz", "")},
        {"at": ("'2026-01-31T12:30:59'::timestamp", "")},
        {"count": ("'7'::text", "")},
        {"size": ("1.0::float8", "")},
    ],
    ids=repr,
)
async def test_what_pydantic_converts_is_left_to_it(database: Database, values: dict[str, tuple[str, Any]]) -> None:
    page = await page_with(database, **values)
    assert isinstance(page.items, StoredRows)
    assert page.items.sent() is None
    assert ENCODE(page) == TO_JSON(Page[Plain](items=[*page.items], next_cursor=None))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "NULL::text"),
        ("open", "NULL::bool"),
        ("id", "0::bigint"),
        ("size", "6::int"),
        ("colour", "'blue'::text"),
        ("note", "repeat('a', 201)"),
        ("name", "1::int"),
        ("at", "'2026-01-31'::text"),
    ],
)
async def test_a_value_that_does_not_fit_is_an_error_as_with_models(database: Database, field: str, value: str) -> None:
    page = await page_with(database, **{field: (value, None)})
    with pytest.raises(ValidationError, match=field):
        ENCODE(page)


async def test_a_missing_column_is_an_error_as_with_models(database: Database) -> None:
    listing = Listing(Plain, "SELECT 1::bigint AS id, 'a'::text AS name", key="id")
    with pytest.raises(ValidationError, match="colour"):
        ENCODE(await listing.page(database, PageQuery()))


async def test_what_a_handler_changes_is_sent(database: Database) -> None:
    page = await page_with(database)
    page.items[0].name = "changed"
    page.items.append(page.items[0].model_copy(update={"id": 2}))
    assert [(each["id"], each["name"]) for each in json.loads(ENCODE(page))["items"]] == [
        (1, "changed"),
        (2, "changed"),
    ]


async def test_the_list_is_as_one_of_models(database: Database) -> None:
    models = [*(await page_with(database)).items]
    for use in USES:
        page = await page_with(database)
        assert use(page) == use(Page[Plain](items=models, next_cursor=None)), use


class Summary(BaseModel):
    """A page within something else."""

    page: Page[Plain]


USES: list[Callable[[Page[Plain]], Any]] = [
    lambda page: len(page.items),
    lambda page: page.items[0],
    lambda page: [*page.items[:1], *reversed(page.items)],
    lambda page: [*(page.items + page.items)],
    lambda page: page.items == page.items.copy(),
    lambda page: [*copy.copy(page.items)],
    lambda page: [*copy.deepcopy(page).items],
    lambda page: [*pickle.loads(pickle.dumps(page.items))],
    lambda page: page.items[0] in page.items,
    lambda page: bool(page.items),
    lambda page: page.model_dump(),
    lambda page: page.model_dump_json(),
    lambda page: Summary(page=page).model_dump_json(),
    lambda page: Page[Plain](items=page.items, next_cursor=None).model_dump_json(),
    lambda page: repr([*page.items]),
]


class Narrow(Row):
    """What a handler shows of a row."""

    id: int
    name: str


async def test_a_page_of_another_model_is_left_to_pydantic(database: Database) -> None:
    page: Any = await page_with(database)
    to_json = Adapter(Page[Narrow]).serializer.to_json
    narrow = Page[Narrow](items=[Narrow(id=1, name="a")], next_cursor=None)
    assert page_json(Page[Narrow], to_json)(narrow) == b'{"items":[{"id":1,"name":"a"}],"next_cursor":null}'
    assert page_json(Page[Narrow], lambda _: b"by pydantic")(page) == b"by pydantic", "it has more fields"


class Validated(Narrow):
    """Has a validator."""

    @field_validator("name")
    @classmethod
    def short(cls, name: str) -> str:
        return name[:1]


class Serialized(Narrow):
    """Has a serializer."""

    @field_serializer("name")
    def loud(self, name: str) -> str:
        return name.upper()


class Computed(Narrow):
    """Has a computed field."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.id


class Renamed(Narrow):
    """Has a name of its own in JSON."""

    other: int = Field(default=1, serialization_alias="another")


class Forbidding(Narrow, extra="forbid"):
    """Refuses further columns."""


class OfItsOwn(Narrow):
    """Makes its instances in its own way."""

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> Self:
        return cls(id=row["id"], name="own")


class WithDecimal(Narrow):
    """Has a type that is written in another way."""

    price: DecimalString


class WithBareDecimal(Narrow):
    """Has one, too."""

    price: Decimal


class WithJson(Narrow):
    """Has one, too."""

    tags: StoredJson


class WithFloat(Narrow):
    """Has one, too: infinity is null in one and an error in the other."""

    weight: Annotated[float, Field(allow_inf_nan=False)]


class Nested(Narrow):
    """Has a model in it."""

    inner: Narrow


class Started(Narrow):
    """Does something with each new instance."""

    def model_post_init(self, _: Any, /) -> None:
        self.name = "started"


UNLIKE: list[type[Row]] = [
    Validated, Serialized, Computed, Renamed, Forbidding, OfItsOwn, WithDecimal, WithBareDecimal, WithJson, WithFloat,
    Nested, Started,
]  # fmt: skip


@pytest.mark.parametrize("model", UNLIKE)
def test_a_model_with_ways_of_its_own_is_left_to_pydantic(model: type[Row]) -> None:
    assert row_encoder(model) is None


@pytest.mark.parametrize("model", [Plain, Narrow, Item])
def test_a_plain_model_has_an_encoder(model: type[Row]) -> None:
    assert row_encoder(model)


async def test_clients_get_pages_as_before(client: "TestClient[Any, Any]") -> None:
    for number in (1, 2):
        await client.post("/v1/items", json={"name": f"Lamp {number}", "price_cents": number})
    response = await client.get("/v1/items?limit=1&sort=-id")
    page = await response.json()
    assert [each["name"] for each in page["items"]] == ["Lamp 2"]
    assert [*page["items"][0]] == ["id", "name", "description", "price_cents", "created_at", "updated_at"]
    assert page["next_cursor"] in response.headers["Link"]
    empty = await client.get("/v1/items?name=nobody")
    assert await empty.json() == {"items": [], "next_cursor": None}
