"""What goes wrong at the front door: keys that would mix callers, forms that would block, cancellations of others."""

import asyncio
import gzip
from typing import Annotated

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from chassis.contract import Header, ResponseHead, Route
from chassis.database import Database
from chassis.errors import NotFoundError
from chassis.models import Body
from chassis.service import Service, every
from chassis.settings import Settings
from chassis.testing import clients_of


class Note(Body):
    """A body."""

    text: str


async def write(body: Note, x_tenant: Annotated[str, Header()], database: Database, head: ResponseHead) -> str:
    await database.fetch("SELECT 1")
    head.set_cookie("session", f"of-{x_tenant}")
    return f"{body.text} of {x_tenant}"


async def fill_in(request: web.Request) -> int:
    return len(await request.post())


async def hello() -> str:
    return "hello"


async def awaits_what_is_cancelled() -> str:
    other = asyncio.create_task(asyncio.sleep(60))
    other.cancel()
    await other
    return "never"


SERVICE = Service(
    settings=Settings,
    routes=[
        Route("POST", "/notes", write),
        Route("POST", "/forms", fill_in, consumes=("multipart/form-data",)),
        Route("GET", "/hello", hello),
        Route("GET", "/cancelled", awaits_what_is_cancelled),
    ],
)


async def test_a_key_does_not_give_one_tenant_the_answer_of_another(settings: Settings) -> None:
    async with clients_of(SERVICE, settings) as make:
        client = await make()
        sent = {"text": "a"}

        def of(tenant: str) -> dict[str, str]:
            return {"X-Tenant": tenant, "Idempotency-Key": "one"}

        first = await client.post("/notes", json=sent, headers=of("A"))
        again = await client.post("/notes", json=sent, headers=of("A"))
        assert [await each.json() for each in (first, again)] == ["a of A", "a of A"]
        other = await client.post("/notes", json=sent, headers=of("B"))
        assert (other.status, (await other.json())["type"]) == (422, "urn:problem-type:idempotency-key-reused")
        assert "Set-Cookie" not in other.headers


async def test_a_form_of_a_million_lines_lets_others_go_on(settings: Settings) -> None:
    form = gzip.compress(b"\n" * 400_000 + b"--b--\r\n")
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Encoding": "gzip"}
    async with clients_of(SERVICE, settings) as make:
        client = await make()
        answered = 0
        slow = asyncio.create_task(client.post("/forms", data=form, headers=headers))
        while (await client.get("/hello")).status == 200 and not slow.done():
            answered += 1
        assert answered > 5, "requests are answered while the form is read"
        assert (await slow).status in {200, 400}


async def test_an_await_of_what_others_cancelled_is_a_500_and_not_a_lost_connection(settings: Settings) -> None:
    with capture_logs() as logs:
        async with clients_of(SERVICE, settings) as make:
            client = await make()
            answer = await client.get("/cancelled")
            assert (answer.status, (await answer.json())["type"]) == (500, "urn:problem-type:internal-error")
            assert (await client.get("/hello")).status == 200
    assert [line["status"] for line in logs if line["event"] == "request"] == [500, 200]


def test_mistakes_in_writing_are_told() -> None:
    with pytest.raises(TypeError, match=r"@every\(60\)"):
        every(hello)  # type: ignore[arg-type]
    for mistake in ({"scopes": "notes:read"}, {"raises": NotFoundError}):
        with pytest.raises(ValueError, match="scopes and raises should be tuples"):
            Route("GET", "/hello", hello, **mistake)
    for wrong in ({"samesite": "None; Domain=evil.example"}, {"max_age": "1; Domain=evil.example"}):
        with pytest.raises(ValueError, match="samesite should be"):
            ResponseHead().set_cookie("a", "b", **wrong)  # type: ignore[arg-type]
