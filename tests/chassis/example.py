"""An example service that uses the chassis, so that its tests need no resource of the service itself."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any

import asyncpg
from aiohttp import ClientSession, web
from pydantic import Field

from chassis.application import Application, create_application
from chassis.caller import Caller
from chassis.command_line import main
from chassis.conditional import IfMatch, Versioned
from chassis.contract import Route
from chassis.database import Database
from chassis.errors import NotFoundError, PreconditionFailedError
from chassis.models import Body, Query, Text
from chassis.settings import Settings, load_settings


class Note(Body):
    """A body with a list in it."""

    text: Annotated[Text, Field(max_length=10)]
    tags: list[Annotated[int, Field(ge=0)]] = Field(default_factory=list)


class Search(Query):
    """A query string."""

    word: str
    most: Annotated[int, Field(ge=1)] = 1


async def echo(body: Note) -> Note:
    return body


async def echo_at(body: Note) -> Note:
    return body


async def echo_in(place: str, body: Note) -> Note:
    return body


async def nothing() -> None: ...


async def search(query: Search) -> dict[str, Any]:
    return {"word": query.word, "most": query.most}


class Tagged(Query):
    """A query string with parameters that may be repeated."""

    tag: list[Annotated[Text, Field(max_length=5)]] = Field(default=["a"])
    size: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, max_length=2)
    word: str = ""


async def tagged(query: Tagged) -> dict[str, Any]:
    return query.model_dump()


async def echo_many(body: Annotated[list[Note], Field(min_length=1, max_length=1000)]) -> list[Note]:
    return body


async def put_note(number: int, query: Search, body: Note) -> Note:
    return body


class Counter(Versioned):
    """A row that counts its updates."""

    name: str


async def counter(version: int) -> Counter:
    return Counter(version=version, name="counter")


async def set_counter(if_match: IfMatch) -> dict[str, Any]:
    return {"versions": if_match.versions}


async def changed_since() -> None:
    raise PreconditionFailedError


async def missing() -> Note:
    raise NotFoundError("There is no note.")


async def broken() -> Note:
    raise RuntimeError("a secret of the inside")


async def wait(milliseconds: int) -> dict[str, int]:
    await asyncio.sleep(milliseconds / 1000)
    return {"waited": milliseconds}


async def large(size: int) -> dict[str, str]:
    return {"text": "a" * size}


async def sleep_in_database(milliseconds: int, database: Database) -> dict[str, int]:
    await database.fetchrow("SELECT pg_sleep($1)", milliseconds / 1000)
    return {"slept": milliseconds}


async def store(body: Note, database: Database) -> Note:
    await database.fetchrow("SELECT $1::text", body.text + "\x00")
    return body


async def in_transaction(database: Database) -> dict[str, int]:
    async with database.transaction() as connection:
        await connection.execute("CREATE TEMPORARY TABLE numbers (number int) ON COMMIT DROP")
        await connection.execute("INSERT INTO numbers VALUES (1), (2)")
        return {"sum": await connection.fetchval("SELECT sum(number) FROM numbers")}


async def in_transaction_with(other: str, database: Database, client: ClientSession) -> None:
    """Fail between two statements for a reason other than the database."""
    async with database.transaction():
        if other == "file":
            await asyncio.to_thread(open, "/no/such/file")
        await client.get("http://127.0.0.1:1/")


async def pool_size(settings: Settings) -> dict[str, int]:
    return {"pool_size": settings.database_pool_size}


async def write_note(body: Note, milliseconds: int, database: Database) -> Note:
    """Sleep in the database, then write a row. Each run writes one row."""
    await database.fetchrow("SELECT pg_sleep($1)", milliseconds / 1000)
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO notes VALUES ($1)", body.text)
    if body.text == "broken":
        raise RuntimeError("after the row was written")
    return body


async def search_and_write(query: Search, database: Database) -> dict[str, str]:
    await database.fetch("INSERT INTO notes VALUES ($1)", query.word)
    return {"word": query.word}


async def try_again(database: Database) -> dict[str, int]:
    with suppress(asyncpg.DivisionByZeroError):
        await database.fetch("SELECT 1 / 0")
    rows = await asyncio.gather(*(database.fetchrow("SELECT $1::int AS number", number) for number in (1, 2)))
    return {"sum": sum(row["number"] for row in rows if row)}


async def refused(database: Database) -> None:
    raise asyncpg.InsufficientPrivilegeError("a detail of the database")


async def who(caller: Caller) -> dict[str, str]:
    return {"subject": caller.subject}


async def call(query: Search, client: ClientSession) -> dict[str, Any]:
    """Call the service at the URL in the query."""
    async with client.get(query.word) as response:
        return {"answer": await response.json()}


class Part(Body):
    """A row with constraints in the database and none in the model."""

    name: str | None = None
    size: int = 1
    whole: int | None = None


async def count_up(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    for number in range(3):
        await response.write(f"{number}\n".encode())
    return response


async def add_part(body: Part, database: Database) -> Part:
    await database.fetch("INSERT INTO parts (name, size, whole) VALUES ($1, $2, $3)", body.name, body.size, body.whole)
    return body


async def remove_part(size: int, database: Database) -> None:
    await database.fetch("DELETE FROM parts WHERE size = $1", size)


ROUTES = [
    Route("POST", "/echo", echo),
    Route("GET", "/numbers", count_up, produces="text/plain"),
    Route("POST", "/echo-at", echo_at, status=201, location="/notes/{text}"),
    Route("POST", "/places/{place}/notes", echo_in, status=201, location="/places/{place}/notes/{text}"),
    Route("DELETE", "/nothing", nothing),
    Route("GET", "/search", search),
    Route("GET", "/tagged", tagged),
    Route("POST", "/notes:batch", echo_many),
    Route("PUT", "/notes/{number}", put_note),
    Route("GET", "/counter/{version}", counter),
    Route("PUT", "/counter", set_counter),
    Route("POST", "/precondition", changed_since, raises=(PreconditionFailedError,)),
    Route("GET", "/missing", missing, raises=(NotFoundError,)),
    Route("GET", "/broken", broken),
    Route("GET", "/wait/{milliseconds}", wait),
    Route("GET", "/large/{size}", large),
    Route("GET", "/sleep/{milliseconds}", sleep_in_database),
    Route("POST", "/store", store),
    Route("GET", "/transaction", in_transaction),
    Route("POST", "/transaction-with/{other}", in_transaction_with),
    Route("GET", "/pool-size", pool_size),
    Route("POST", "/write/{milliseconds}", write_note, status=201, location="/notes/{text}"),
    Route("POST", "/search-and-write", search_and_write),
    Route("POST", "/try-again", try_again),
    Route("GET", "/refused", refused),
    Route("GET", "/who", who),
    Route("GET", "/call", call, scopes=("calls:make", "calls:pay")),
    Route("POST", "/parts", add_part),
    Route("DELETE", "/parts/{size}", remove_part),
]


def app() -> Application:
    """Return the application, for a process manager that creates the service itself."""
    return create_application(ROUTES, load_settings(Settings))


if __name__ == "__main__":
    main(Settings, ROUTES)
