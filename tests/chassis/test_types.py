"""What each type of PostgreSQL gives in JSON and what it refuses: the rows of docs/chassis/reference/types.md."""

import json
from collections.abc import AsyncIterator
from datetime import date, datetime
from enum import StrEnum
from time import time_ns
from typing import Annotated, Any
from urllib.parse import quote
from uuid import RFC_4122, UUID

import aiohttp
import asyncpg
import pytest
from aiohttp.test_utils import TestServer
from pydantic import Field, TypeAdapter, ValidationError
from yarl import URL

from app.settings import Settings
from chassis.application import create_application
from chassis.contract import Contract, Header, Route, contract_of
from chassis.database import Connection, Database
from chassis.models import (
    Body,
    Date,
    DecimalString,
    Id,
    Integer,
    Json,
    Number,
    Query,
    Row,
    StoredJson,
    Text,
    Timestamp,
    Uuid,
    WholeNumber,
    keys,
    new_uuid,
)

TABLE = """
    CREATE TYPE mood AS ENUM ('calm', 'loud');
    CREATE TABLE kinds (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        due date, at timestamptz, local timestamp, large bigint, small integer, ratio double precision,
        total numeric(12, 2), exact numeric, metadata jsonb, name text, code text, key uuid, mood mood,
        tags text[] CHECK (array_position(tags, NULL) IS NULL), labels text[], words text[], free jsonb, document json
    )
"""


class Mood(StrEnum):
    """The values of the type `mood` that this code knows."""

    CALM = "calm"
    LOUD = "loud"


class Sent(Body):
    """A field for each column, which may be left out."""

    due: Date | None = None
    at: Timestamp | None = None
    large: WholeNumber | None = None
    small: Integer | None = None
    ratio: Number | None = None
    total: Annotated[DecimalString, Field(max_digits=12, decimal_places=2)] | None = None
    exact: DecimalString | None = None
    metadata: Json | None = None
    name: Text | None = None
    code: Annotated[Text, Field(pattern="^[^ ]*$", max_length=8)] | None = None
    key: Uuid | None = None
    mood: Mood | None = None
    tags: list[Text] = Field(default_factory=list)
    labels: list[str | None] = Field(default_factory=list)
    free: dict[str, Any] | None = None
    document: Json = 0


class Stored(Row):
    """A row as teams write it by hand."""

    id: Id
    due: date | None
    at: datetime | None
    local: datetime | None
    large: int | None
    small: int | None
    ratio: float | None
    total: DecimalString | None
    exact: DecimalString | None
    metadata: StoredJson | None
    name: str | None
    code: str | None
    key: UUID | None
    mood: str | None
    tags: list[str] | None
    labels: list[str | None] | None
    words: list[str] | None
    document: StoredJson | None


class Filter(Query):
    """Filters of a list."""

    total: Annotated[DecimalString, Field(max_digits=12, decimal_places=2)] | None = None
    code: Annotated[Text, Field(pattern="^[^ ]*$")] | None = None
    at: Timestamp | None = None


async def store_kind(body: Sent, database: Database) -> Stored:
    names = sorted(body.model_fields_set)
    values = [getattr(body, name) for name in names]
    values = [
        json.dumps(value) if name in {"metadata", "free", "document"} and value is not None else value
        for name, value in zip(names, values, strict=True)
    ]
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    query = f"INSERT INTO kinds ({', '.join(names)}) VALUES ({places}) RETURNING *"
    [row] = await database.fetch(query, *values)
    return Stored.from_row(row)


async def read_kind(kind_id: Id, database: Database) -> Stored:
    return Stored.from_row(await database.fetchrow("SELECT * FROM kinds WHERE id = $1", kind_id) or {})  # type: ignore[arg-type]


async def find_kinds(query: Filter, database: Database) -> list[Stored]:
    matches = "($1::numeric IS NULL OR total = $1) AND ($2::text IS NULL OR code = $2)"
    rows = await database.fetch(f"SELECT * FROM kinds WHERE {matches}", query.total, query.code)
    return Stored.from_rows(rows)


Code = Annotated[Text, Field(pattern="^[^ ]*$")]


async def read_key(key: Uuid) -> UUID:
    return key


async def read_codes(code: Code, x_code: Annotated[Code, Header()]) -> list[str]:
    return [code, x_code]


CODES = Route("GET", "/codes/{code}", read_codes)


class Value(Body):
    """A value that the handler casts in SQL."""

    value: str


async def cast(column: str, body: Value, database: Database) -> None:
    await database.fetch(CASTS[column], body.value)


CASTS = {
    "timestamptz": "SELECT $1::text::timestamptz",
    "interval": "SELECT $1::text::interval",
    "integer": "SELECT $1::text::integer",
    "numeric": "SELECT $1::text::numeric(5, 2)",
    "uuid": "SELECT $1::text::uuid",
    "jsonb": "SELECT $1::text::jsonb",
    "regular expression": "SELECT 'a' ~ $1",
    "like": "SELECT 'a\\' LIKE $1",
    "text search": "SELECT $1::text::tsvector",
    "varchar": "INSERT INTO words (word) VALUES ($1)",
    "unique": "INSERT INTO words (key) VALUES ($1)",
}

ROUTES = [
    Route("POST", "/kinds", store_kind, status=201),
    Route("GET", "/kinds/{kind_id}", read_kind),
    Route("GET", "/kinds", find_kinds),
    Route("POST", "/cast/{column}", cast),
    Route("GET", "/keys/{key}", read_key),
    CODES,
]


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a service with these routes."""
    async with (
        TestServer(create_application(ROUTES, settings).api) as server,
        aiohttp.ClientSession(server.make_url("/")) as session,
    ):
        yield session


@pytest.fixture
async def kinds(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the database with the table."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(TABLE)
    yield connection
    await connection.execute("DROP TABLE kinds; DROP TYPE mood")
    await connection.close()


async def post(client: aiohttp.ClientSession, path: str, body: str) -> tuple[int, Any]:
    response = await client.post(path, data=body.encode(), headers={"Content-Type": "application/json"})
    text = await response.text()
    return response.status, json.loads(text, parse_float=str, parse_int=str) if text else None


MANY_DIGITS = "9" * 40
LONE = '"\\ud800"'
STORED = {
    "first date": ("due", '"0001-01-02"', "0001-01-02"),
    "last date": ("due", '"9999-12-30"', "9999-12-30"),
    "first time": ("at", '"0001-01-01T00:00:00.000001Z"', "0001-01-01T00:00:00.000001Z"),
    "last time": ("at", '"9999-12-31T23:59:59.999998Z"', "9999-12-31T23:59:59.999998Z"),
    "time, nanoseconds": ("at", '"2026-12-31T23:59:59.123456789Z"', "2026-12-31T23:59:59.123456Z"),
    "time, offset": ("at", '"2026-12-31T23:59:59-01:30"', "2027-01-01T01:29:59Z"),
    "bigint, most": ("large", str(2**53 - 1), str(2**53 - 1)),
    "bigint, -0": ("large", "-0", "0"),
    "integer, most": ("small", str(2**31 - 1), str(2**31 - 1)),
    "integer, fraction of zero": ("small", "5.0", "5"),
    "double, -0": ("ratio", "-0.0", "-0.0"),
    "double, digits": ("ratio", "0.1", "0.1"),
    "decimal, scale": ("total", '"-12.5"', "-12.50"),
    "decimal, -0": ("total", '"-0.00"', "0.00"),
    "decimal, most": ("total", '"9999999999.99"', "9999999999.99"),
    "decimal, many digits": ("exact", f'"{MANY_DIGITS}.{MANY_DIGITS}"', f"{MANY_DIGITS}.{MANY_DIGITS}"),
    "decimal, zero": ("exact", '"0.0000000000"', "0.0000000000"),
    "json, large": ("metadata", '{"n": 9007199254740993}', {"n": "9007199254740993"}),
    "json, -0": ("metadata", "[-0, -0.0]", ["0", "0.0"]),
    "json, backslash": ("metadata", '"\\\\u0000"', "\\u0000"),
    "json, names": ("metadata", '{"b": 1, "a": 2, "a": 3}', {"a": "3", "b": "1"}),
    "json, digits": ("metadata", "[0.1000000000000000055, 1e-400]", ["0.1", "0.0"]),
    "json, null": ("metadata", "null", None),
    "json, null in it": ("metadata", "[null]", [None]),
    "json, deep": ("metadata", "[" * 199 + "]" * 199, json.loads("[" * 199 + "]" * 199)),
    "text, emoji": ("name", '"\\ud83d\\ude00"', "😀"),
    "text, empty": ("name", '""', ""),
    "uuid": ("key", '"018F2D5E-0000-7000-8000-000000000000"', "018f2d5e-0000-7000-8000-000000000000"),
    "enum": ("mood", '"calm"', "calm"),
    "array, null": ("labels", '["a", null]', ["a", None]),
}
RANGE = "Should be from 0001-01-02 to 9999-12-30"
TIMES = "Should be after 0001-01-01T00:00:00Z and before 9999-12-31T23:59:59.999999Z"
DIGITS = 'Should be a decimal number in plain digits, as a string such as "-12.50"'
NO_NUL = "Should have no NUL characters"
NUL_IN_TEXT = "String should match pattern '^[^\\x00]*$'"
REFUSED = {
    "first date": ("due", '"0001-01-01"', "#/due", RANGE),
    "last date": ("due", '"9999-12-31"', "#/due", RANGE),
    "Go's zero time": ("at", '"0001-01-01T00:00:00Z"', "#/at", TIMES),
    "Go's zero time, offset": ("at", '"0001-01-01T05:00:00+05:00"', "#/at", TIMES),
    "last time": ("at", '"9999-12-31T23:59:59.999999Z"', "#/at", TIMES),
    "last time, nanoseconds": ("at", '"9999-12-31T23:59:59.999999999Z"', "#/at", TIMES),
    "time, out of range in UTC": ("at", '"9999-12-31T23:59:59-01:00"', "#/at", "Should be a time"),
    "infinity": ("at", '"infinity"', "#/at", "Should be a time"),
    "leap second": ("at", '"2016-12-31T23:59:60Z"', "#/at", "Should have a second from 00 to 59"),
    "time, hour 24": ("at", '"2026-12-31T24:00:00Z"', "#/at", "Should be a time"),
    "time, no offset": ("at", '"2026-12-31T23:59:59"', "#/at", "Should be a time"),
    "bigint, 2^53": ("large", str(2**53), "#/large", "Input should be less than or equal to"),
    "integer, 2^31": ("small", str(2**31), "#/small", "Input should be less than or equal to"),
    "integer, 1e400": ("small", "1e400", "#/small", "Input should be a"),
    "double, 1e400": ("ratio", "1e400", "#/ratio", "Input should be a finite number"),
    "double, NaN": ("ratio", "NaN", "#/ratio", "Input should be a finite number"),
    "decimal, number": ("total", "12.5", "#/total", DIGITS),
    "decimal, exponent": ("total", '"1e5"', "#/total", DIGITS),
    "decimal, plus": ("total", '"+1"', "#/total", DIGITS),
    "decimal, leading zero": ("total", '"01"', "#/total", DIGITS),
    "decimal, NaN": ("total", '"NaN"', "#/total", DIGITS),
    "decimal, places": ("total", '"1.505"', "#/total", "Decimal input should have no more than 2 decimal places"),
    "decimal, digits": ("total", '"12345678901"', "#/total", "Decimal input should have no more than 10 digits before"),
    "decimal, more than numeric": ("exact", f'"1{"0" * 131_072}"', "#/exact", DIGITS),
    "json, null": ("document", "null", "#/document", "Should be a JSON value other than null"),
    "json, NUL": ("metadata", '{"a": ["\\u0000"]}', "#/metadata/a/0", NO_NUL),
    "json, NUL in a name": ("metadata", '{"a": {"b\\u0000": 1}}', "#/metadata/a", "Should have names without NUL"),
    "json, NaN": ("metadata", '{"a/b": NaN}', "#/metadata/a~1b", "Should be a finite number"),
    "json, Infinity": ("metadata", "[0, -Infinity]", "#/metadata/1", "Should be a finite number"),
    "json, 1e400": ("metadata", '{"a": {"b": 1e400}}', "#/metadata/a/b", "Should be a finite number"),
    "text, NUL": ("name", '"a\\u0000"', "#/name", NUL_IN_TEXT),
    "text with a pattern, NUL": ("code", '"a\\u0000"', "#/code", NUL_IN_TEXT),
    "text with a pattern": ("code", '"a b"', "#/code", "String should match pattern '^[^ ]*$'"),
    "text with a pattern, length": ("code", '"abcdefghi"', "#/code", "String should have at most 8 characters"),
    "enum, unknown": ("mood", '"angry"', "#/mood", "Input should be 'calm' or 'loud'"),
    "array, null": ("tags", '["a", null]', "#/tags/1", "Input should be a valid string"),
    "array, NUL": ("tags", '["a", "\\u0000"]', "#/tags/1", NUL_IN_TEXT),
}


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(("field", "given", "stored"), STORED.values(), ids=STORED)
async def test_a_value_is_stored_and_sent_as_the_table_says(
    client: aiohttp.ClientSession, field: str, given: str, stored: object
) -> None:
    status, answer = await post(client, "/kinds", f'{{"{field}": {given}}}')
    assert (status, answer[field]) == (201, stored), answer


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(("field", "given", "pointer", "rule"), REFUSED.values(), ids=REFUSED)
async def test_a_value_is_refused_with_its_place_and_its_rule(
    client: aiohttp.ClientSession, field: str, given: str, pointer: str, rule: str
) -> None:
    status, problem = await post(client, "/kinds", f'{{"{field}": {given}}}')
    assert (status, problem["type"]) == (422, "urn:problem-type:invalid-request")
    [error] = problem["errors"]
    assert error["pointer"] == pointer
    assert error["detail"].startswith(rule)


SURROGATE, DIGITS = "Should be text without lone surrogates", "Should have 4,300 digits at most"
IN_NAMES = "Should have names without lone surrogates"
UNREADABLE = {
    "lone surrogate": ('"\\ud800"', "", SURROGATE),
    "second half of a pair": ('["a", {"b/c": "\\ude00"}]', "/1/b~1c", SURROGATE),
    "lone surrogate beside pairs": ('["\\ud83d\\ude00", "\\ud83dx"]', "/1", SURROGATE),
    "lone surrogate in a name": ('{"a": {"\\udc00": 1}}', "/a", IN_NAMES),
    "lone surrogate under a name that comes again": ('{"a": "\\ud800", "a": 1}', "/a", SURROGATE),
    "digits": (f"[0, -{'9' * 4301}]", "/1", DIGITS),
    "digits before the point": (f'{{"a": {"9" * 5000}.5E3}}', "/a", DIGITS),
}


@pytest.mark.parametrize(("given", "into", "rule"), UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("field", ["metadata", "free", "name"])
async def test_a_value_that_the_parser_refuses_is_named(
    client: aiohttp.ClientSession, field: str, given: str, into: str, rule: str
) -> None:
    status, problem = await post(client, "/kinds", f'{{"ratio": NaN, "small": 12.5, "{field}": {given}}}')
    assert (status, problem["type"]) == (422, "urn:problem-type:invalid-request")
    [error] = problem["errors"]
    assert error["pointer"] == f"#/{field}{into}"
    assert error["detail"].startswith(rule)


@pytest.mark.usefixtures("kinds")
async def test_the_most_digits_that_the_parser_reads_are_read(client: aiohttp.ClientSession) -> None:
    status, _ = await post(client, "/kinds", f'{{"metadata": [{"9" * 4300}, 0.{"9" * 5000}]}}')
    assert status == 201


@pytest.mark.parametrize(
    "given",
    [
        "[" * 10_000 + "]" * 10_000,
        "[" * 300 + "]" * 300,
        '["\\ud800"',
        '"\\ud800" 1',
        f'["{"a" * 2**17}", "\\ud800"]',
    ],
    ids=["nesting", "nesting that others read", "no end", "more than one value", "large"],
)
@pytest.mark.parametrize("field", ["metadata", "free", "name"])
async def test_what_is_not_json_or_too_much_is_a_malformed_body(
    client: aiohttp.ClientSession, field: str, given: str
) -> None:
    status, problem = await post(client, "/kinds", f'{{"{field}": {given}}}')
    assert (status, problem["type"]) == (400, "urn:problem-type:malformed-body")


async def test_surrogates_that_are_not_escaped_are_a_malformed_body(client: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/json"}
    response = await client.post("/kinds", data=b'{"name": "\xed\xa0\x80"}', headers=headers)
    assert (response.status, (await response.json())["type"]) == (400, "urn:problem-type:malformed-body")


async def test_all_values_that_the_parser_refuses_are_named_up_to_100(client: aiohttp.ClientSession) -> None:
    _, problem = await post(client, "/kinds", f'{{"free": {{"a": [{", ".join([LONE] * 101)}]}}}}')
    assert [each["pointer"] for each in problem["errors"]] == [f"#/free/a/{number}" for number in range(100)]


KEY = "0b9ad1d5-9d39-4ab7-8c8e-6b8f0c1a2b3c"
SPELLINGS = [f"{{{KEY}}}", f"urn:uuid:{KEY}", KEY.replace("-", ""), f" {KEY}", f"{KEY}\n", KEY[:-1], KEY[:-1] + "g", ""]


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize("key", [KEY, KEY.upper()])
async def test_a_uuid_has_one_format_in_upper_or_lower_case(client: aiohttp.ClientSession, key: str) -> None:
    status, stored = await post(client, "/kinds", json.dumps({"key": key}))
    assert (status, stored["key"]) == (201, KEY)
    response = await client.get(f"/keys/{key}")
    assert (response.status, await response.json()) == (200, KEY)


@pytest.mark.parametrize("key", SPELLINGS)
async def test_other_spellings_of_a_uuid_are_refused(client: aiohttp.ClientSession, key: str) -> None:
    status, problem = await post(client, "/kinds", json.dumps({"key": key}))
    assert (status, [each["pointer"] for each in problem["errors"]]) == (422, ["#/key"])
    if key.strip("{}") == key != "":  # aiohttp has no such paths
        response = await client.get(f"/keys/{quote(key)}")
        [error] = (await response.json())["errors"]
        assert (response.status, error["parameter"]) == (422, "key")
        assert error["detail"].startswith("Should be a UUID such as")


async def test_a_text_outside_of_a_model_keeps_its_rule_beside_a_pattern(client: aiohttp.ClientSession) -> None:
    assert await (await client.get("/codes/a", headers={"X-Code": "b"})).json() == ["a", "b"]
    for code, rule in {"%00": NUL_IN_TEXT, "a%20b": "String should match pattern '^[^ ]*$'"}.items():
        response = await client.get(f"/codes/{code}", headers={"X-Code": "b"})
        assert response.status == 422
        [error] = (await response.json())["errors"]
        assert (error["parameter"], error["detail"][: len(rule)]) == ("code", rule)
    adapter = contract_of(CODES).headers["x_code"].adapter  # HTTP has no NUL in a header
    with pytest.raises(ValidationError, match="should match pattern"):
        adapter.validate_strings("\x00")


@pytest.mark.usefixtures("kinds")
@pytest.mark.parametrize(
    "given", ['{"a": "\\u0000"}', '{"\\u0000": 1}', '{"a": NaN}', '{"a": 1e400}', '{"a": -Infinity}']
)
async def test_what_a_column_of_json_cannot_hold_is_a_422_in_a_field_without_rules(
    client: aiohttp.ClientSession, given: str
) -> None:
    status, problem = await post(client, "/kinds", f'{{"free": {given}}}')
    assert (status, problem["type"]) == (422, "urn:problem-type:invalid-request")


ROWS = {
    "-infinity": ("at", "'-infinity'", "0001-01-01T00:00:00Z"),
    "infinity": ("at", "'infinity'", "9999-12-31T23:59:59.999999Z"),
    "first time": ("at", "'0001-01-01T00:00:00Z'", "0001-01-01T00:00:00Z"),
    "date, -infinity": ("due", "'-infinity'", "0001-01-01"),
    "date, infinity": ("due", "'infinity'", "9999-12-31"),
    "timestamp": ("local", "'2026-12-31 23:59:59'", "2026-12-31T23:59:59"),
    "timestamp, infinity": ("local", "'infinity'", "9999-12-31T23:59:59.999999Z"),
    "bigint, beyond 2^53": ("large", str(2**63 - 1), str(2**63 - 1)),
    "double, NaN": ("ratio", "'NaN'", None),
    "double, infinity": ("ratio", "'-infinity'", None),
    "decimal, NaN": ("exact", "'NaN'", "NaN"),
    "decimal, infinity": ("exact", "'Infinity'", "Infinity"),
    "decimal, zero": ("exact", "0.0000000000", "0.0000000000"),
    "jsonb, 1e400": ("metadata", "'1e400'", f"1{'0' * 400}"),
    "jsonb, null": ("metadata", "'null'", None),
    "json, NUL": ("document", "'\"\\u0000\"'", "\x00"),
    "json, order": ("document", '\'{"b": 1, "a": 2}\'', {"b": "1", "a": "2"}),
    "array, null": ("labels", "ARRAY['a', NULL]", ["a", None]),
}


@pytest.mark.parametrize(("column", "value", "sent"), ROWS.values(), ids=ROWS)
async def test_a_value_that_is_in_a_column_already_is_sent_as_the_table_says(
    client: aiohttp.ClientSession, kinds: Connection, column: str, value: str, sent: object
) -> None:
    key = await kinds.fetchval(f"INSERT INTO kinds ({column}) VALUES ({value}) RETURNING id")
    response = await client.get(f"/kinds/{key}")
    assert response.status == 200
    assert json.loads(await response.text(), parse_float=str, parse_int=str)[column] == sent


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "'20000-01-01'"),
        ("due", "'20000-01-01'"),
        ("words", "ARRAY[NULL]"),
        ("metadata", "repeat('[', 300)::text || repeat(']', 300)"),
    ],
)
async def test_a_value_that_cannot_be_read_is_a_500(
    client: aiohttp.ClientSession, kinds: Connection, column: str, value: str
) -> None:
    cast = "::jsonb" if column == "metadata" else ""
    key = await kinds.fetchval(f"INSERT INTO kinds ({column}) VALUES (({value}){cast}) RETURNING id")
    assert (await client.get(f"/kinds/{key}")).status == 500


async def test_a_value_that_a_later_migration_has_added_to_an_enum_is_sent(
    client: aiohttp.ClientSession, kinds: Connection
) -> None:
    await kinds.execute("ALTER TYPE mood ADD VALUE 'angry'")
    key = await kinds.fetchval("INSERT INTO kinds (mood) VALUES ('angry') RETURNING id")
    assert (await (await client.get(f"/kinds/{key}")).json())["mood"] == "angry"


async def test_the_constraint_of_a_table_refuses_nulls_in_an_array(kinds: Connection) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await kinds.execute("INSERT INTO kinds (tags) VALUES (ARRAY['a', NULL])")


async def test_the_types_fit_query_strings(client: aiohttp.ClientSession, kinds: Connection) -> None:
    await kinds.execute("INSERT INTO kinds (total, code) VALUES (12.5, 'a')")
    found = await (await client.get("/kinds", params={"total": "12.50", "code": "a"})).json()
    assert [row["total"] for row in found] == ["12.50"]
    for name, value in {"total": "1e5", "code": "\x00", "at": "0001-01-01T00:00:00Z"}.items():
        response = await client.get("/kinds", params={name: value})
        assert (response.status, (await response.json())["errors"][0]["parameter"]) == (422, name)
    response = await client.get(URL("/kinds?at=2026-01-01T00:00:00+00:00", encoded=True))
    assert "a plus sign is written %2B" in (await response.json())["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("timestamptz", "2026-13-01"),
        ("timestamptz", "tomorrow-ish"),
        ("interval", "999999999999 years"),
        ("integer", "x"),
        ("integer", str(2**31)),
        ("numeric", "1000"),
        ("uuid", "x"),
        ("jsonb", "{"),
        ("jsonb", "[" * 100_000),
        ("jsonb", "1e200000"),
        ("regular expression", "("),
        ("like", "a\\"),
        ("text search", "a" * 3000),
        ("varchar", "abcd"),
        ("unique", "".join(chr(0x4E00 + n % 19_997) for n in range(0, 9_000_000, 997))),
    ],
    ids=lambda value: value[:20],
)
async def test_a_value_that_only_the_database_refuses_is_a_422(
    client: aiohttp.ClientSession, kinds: Connection, column: str, value: str
) -> None:
    await kinds.execute("CREATE TABLE words (word varchar(3), key text UNIQUE)")
    try:
        status, problem = await post(client, f"/cast/{column}", json.dumps({"value": value}))
    finally:
        await kinds.execute("DROP TABLE words")
    assert (status, problem["type"]) == (422, "urn:problem-type:invalid-request")


def test_the_document_has_the_digits_of_a_decimal() -> None:
    class Amount(Body):
        """Decimals with each rule."""

        plain: DecimalString
        both: Annotated[DecimalString, Field(max_digits=12, decimal_places=2, examples=["1.50"])]
        whole: Annotated[DecimalString, Field(max_digits=3, decimal_places=0)]
        places: Annotated[DecimalString, Field(decimal_places=3)]

    for mode in ("validation", "serialization"):
        found = Amount.model_json_schema(mode=mode)["properties"]
        assert found["both"] == {
            "type": "string",
            "pattern": r"^-?(0|[1-9][0-9]{0,9})(\.[0-9]{1,2})?$",
            "examples": ["1.50"],
            "title": "Both",
        }
        assert found["plain"]["pattern"] == r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
        assert found["whole"]["pattern"] == "^-?(0|[1-9][0-9]{0,2})$"
        assert found["places"]["pattern"] == r"^-?(0|[1-9][0-9]*)(\.[0-9]{1,3})?$"


TOTAL = TypeAdapter(Annotated[DecimalString, Field(max_digits=12, decimal_places=2)])


@pytest.mark.development
def test_the_pattern_of_a_decimal_fits() -> None:
    hypothesis = pytest.importorskip("hypothesis", exc_type=ModuleNotFoundError)  # not in the image of the tests

    @hypothesis.given(hypothesis.strategies.from_regex(TOTAL.json_schema()["pattern"], fullmatch=True))  # type: ignore[untyped-decorator]
    def fits(text: str) -> None:
        assert TOTAL.dump_json(TOTAL.validate_python(text)).decode() == f'"{text}"'

    fits()


def test_a_row_has_the_document_and_the_entity_tag_of_a_model_without_rules_for_infinity() -> None:
    properties = Stored.model_json_schema(mode="serialization")["properties"]
    assert properties["at"] == {"anyOf": [{"format": "date-time", "type": "string"}, {"type": "null"}], "title": "At"}

    class Times(Row):
        """Times, alone and in others."""

        at: Annotated[datetime, Field(examples=["2026-12-31T23:59:59Z"], description="when")]
        all: dict[str, list[datetime]] = Field(default_factory=dict)

    async def read_times() -> Times:
        raise NotImplementedError

    contract = Contract(Route("GET", "/times", read_times))
    assert contract.schema_digest == "36bb5b"  # as of release 0.2
    assert Times.model_validate({"at": datetime.max, "all": {"a": [datetime.min]}}).model_dump_json() == (
        '{"at":"9999-12-31T23:59:59.999999Z","all":{"a":["0001-01-01T00:00:00Z"]}}'
    )


def test_a_value_of_json_in_python_has_the_rules_of_one_in_a_body() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    for value in ("\ud800", {"\udc00": 1}, deep, 10**5000):
        with pytest.raises(ValidationError):
            Sent(metadata=value)


def test_new_uuids_are_of_version_7_and_begin_with_the_time() -> None:
    for make in (new_uuid, keys._uuid7):
        before = time_ns() // 1_000_000
        made = [make() for _ in range(1000)]
        assert made == sorted(set(made))
        assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
        assert before <= made[0].int >> 80 <= time_ns() // 1_000_000


def test_new_uuids_are_in_order_when_the_clock_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time_ns()
    monkeypatch.setattr("time.time_ns", lambda: now)
    made = [keys._uuid7() for _ in range(10_000)]
    assert made == sorted(set(made))
