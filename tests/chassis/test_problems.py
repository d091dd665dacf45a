"""Every error is a problem (RFC 9457) without internal details, sent over a real socket."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from io import BytesIO

import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from chassis.http.problem_details import PROBLEM_TYPES
from tests.chassis.conftest import Running, Start
from tests.chassis.issuer import issuer


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/missing", 404, "not-found"),
        ("GET", "/no/such/route", 404, "no-such-route"),
        ("GET", "/%00", 404, "no-such-route"),
        ("DELETE", "/echo", 405, "method-not-allowed"),
        ("GET", "/broken", 500, "internal-error"),
        ("GET", "/refused", 500, "internal-error"),
        ("GET", "/wait/5000", 503, "deadline-exceeded"),
    ],
)
async def test_an_error_is_a_problem(start: Start, method: str, path: str, status: int, name: str) -> None:
    service = await start(request_timeout_seconds=0.2)
    response = await service.api.request(method, path, headers={"X-Request-ID": "my-request"})
    problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["status"], problem["type"]) == (status, status, f"urn:problem-type:{name}")
    assert problem["request_id"] == response.headers["X-Request-ID"] == "my-request"
    assert problem.keys() == {"type", "title", "status", "detail", "request_id"}
    assert ("Retry-After" in response.headers) == (status == 503)


async def test_the_unforeseen_is_in_the_log_and_not_in_the_answer(service: Running) -> None:
    with capture_logs() as logs:
        response = await service.api.get("/broken")
    text = await response.text()
    assert "secret" not in text
    assert "Traceback" not in text
    assert [line["event"] for line in logs if line.get("exc_info")] == ["unforeseen_error"]


async def test_every_problem_is_one_that_happens(start: Start, parts: None) -> None:
    service = await start(
        request_timeout_seconds=1,
        header_timeout_seconds=0.5,
        max_in_flight=2,
        require_if_match=True,
        max_body_bytes=1000,
    )
    away = await start(wait=False, database_url=SecretStr("postgresql://nobody@127.0.0.1:1/nothing"))
    async with issuer() as made:  # the issuer is away after this block
        guarded = await start(**made.settings)
        token = f"Bearer {made.token()}"
        assert (await guarded.api.get("/who", headers={"Authorization": token})).status == 200
    draining = await start()
    draining.application.health.drain()
    happened = set()

    async def ask(method: str, path: str, json: object = None, client: Running = service, **headers: str) -> None:
        response = await client.api.request(
            method, path, json=json, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        if response.status >= 400:
            happened.add((response.status, (await response.json())["type"].removeprefix("urn:problem-type:")))

    for name in ("a", "b"):
        await ask("POST", "/parts", {"name": name}, Idempotency_Key="one")
    await ask("POST", "/parts", {"name": "a", "size": 2})
    await ask("GET", "/missing")
    await ask("GET", "/no/such/route")
    await ask("DELETE", "/echo")
    await ask("PUT", "/counter")
    await ask("POST", "/precondition", If_Match='"1"')
    await ask("POST", "/echo", {"text": "x" * 2000})
    await ask("POST", "/echo", {"text": "x" * 20})
    await ask("POST", "/echo", {"text": "x"}, Content_Type="text/plain")
    await ask("POST", "/echo", {"text": "x"}, Expect="miracles")
    await ask("GET", "/broken")
    await ask("GET", "/transaction", client=away)
    await ask("GET", "/numbers", client=draining)
    await ask("GET", "/who", client=guarded)
    await ask("GET", "/call?word=a", client=guarded, Authorization=token)
    await ask("GET", "/call?word=http://127.0.0.1:1/")
    await asyncio.gather(*(ask("GET", "/wait/5000") for _ in range(3)))
    table = [{"text": "x"}, {"text": "x"}]
    connection = await asyncpg.connect(service.application.settings.database_url.get_secret_value())
    await connection.execute("CREATE TABLE notes (text text)")
    await asyncio.gather(*(ask("POST", "/write/200", body, Idempotency_Key="two") for body in table))
    await connection.execute("DROP TABLE notes")
    await connection.close()
    for malformed in (
        JSON_POST + b"Content-Length: 1\r\n\r\n{",
        b"GARBAGE\r\n\r\n",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n",
    ):
        _, body = await raw(service, malformed)
        problem = json.loads(body)
        happened.add((problem["status"], problem["type"].removeprefix("urn:problem-type:")))
    assert happened == {(int(kind.status), kind.name) for kind in PROBLEM_TYPES.values()}


@pytest.fixture
async def parts(database_url: str) -> AsyncIterator[None]:
    """The table of the example's parts."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "CREATE TABLE parts "
        "(name text NOT NULL UNIQUE, size int PRIMARY KEY CHECK (size > 0), whole int REFERENCES parts)"
    )
    yield
    await connection.execute("DROP TABLE parts")
    await connection.close()


@pytest.mark.usefixtures("parts")
async def test_what_the_database_refuses_is_named_by_its_field(service: Running) -> None:
    assert (await service.api.post("/parts", json={"name": "a"})).status == 200
    for part, status, field in (
        ({"name": "a", "size": 2}, 409, "#/name"),
        ({"name": "b", "size": 2, "whole": 9}, 422, "#/whole"),
        ({"name": "b", "size": 0}, 422, "#/size"),
        ({"name": None, "size": 2}, 422, "#/name"),
    ):
        response = await service.api.post("/parts", json=part)
        text = await response.text()
        assert (response.status, [mistake["pointer"] for mistake in json.loads(text)["errors"]]) == (status, [field])
        for inside in ("violates", "constraint", "parts", "INSERT"):
            assert inside not in text
    assert (await service.api.post("/parts", json={"name": "b", "size": 2, "whole": 1})).status == 200
    assert (await service.api.delete("/parts/1")).status == 409
    assert (await service.api.delete("/parts/2")).status == 204


async def test_a_value_that_postgresql_refuses_is_a_422(service: Running) -> None:
    response = await service.api.post("/store", json={"text": "a"})
    assert (response.status, (await response.json())["type"]) == (422, "urn:problem-type:invalid-request")


JSON_POST = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


async def raw(service: Running, request_text: bytes) -> tuple[bytes, bytes]:
    """Send bytes unchanged; return the head and the body of the response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(request_text)
    async with asyncio.timeout(5):  # less than the request deadline: the response must not wait for more bytes
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(int(re.findall(rb"Content-Length: (\d+)", head)[0]))
    writer.close()
    return head, body


@pytest.mark.parametrize(
    "request_text",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: hunter2\x00\r\n\r\n",
        JSON_POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_the_parser_refuses_is_a_problem_too(service: Running, request_text: bytes) -> None:
    with capture_logs() as logs:
        head, body = await raw(service, request_text)
    assert "hunter2" not in str(logs)
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert json.loads(body)["type"] in {"urn:problem-type:bad-request", "urn:problem-type:malformed-body"}
    assert b"X-Request-ID: " in head
    assert b"Python" not in head


@pytest.mark.parametrize(
    "head", [b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nA: " + b"x" * 9000 + b"\r\n"]
)
async def test_a_head_that_is_too_large_is_a_431(service: Running, head: bytes) -> None:
    answer, body = await raw(service, head + b"Host: a\r\n\r\n")
    assert b" 431 " in answer.partition(b"\r\n")[0]
    assert json.loads(body)["type"] == "urn:problem-type:head-too-large"


@pytest.mark.parametrize("encoding", ["br", "zstd", "x-gzip", "gzip, gzip", "nonsense"])
async def test_an_encoding_that_nobody_knows_is_a_415(service: Running, encoding: str) -> None:
    text = JSON_POST + b"Content-Encoding: " + encoding.encode() + b"\r\nContent-Length: 2\r\n\r\n{}"
    head, body = await raw(service, text)
    assert b" 415 " in head.partition(b"\r\n")[0]
    assert json.loads(body)["type"] == "urn:problem-type:unsupported-media-type"


async def test_an_expectation_that_nobody_knows_is_a_problem(service: Running) -> None:
    response = await service.api.post("/echo", json={"text": "a"}, headers={"Expect": "miracles"})
    problem = await response.json(content_type="application/problem+json")
    assert (response.status, problem["type"]) == (417, "urn:problem-type:expectation-failed")
    assert response.headers["X-Request-ID"] == problem["request_id"]


async def test_a_body_that_is_not_encoded_as_it_says_is_the_client_s_mistake(
    service: Running, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    async with service.api.post("/echo", data=BytesIO(b"{}"), headers=headers, compress=None) as response:
        assert (response.status, (await response.json())["type"]) == (400, "urn:problem-type:malformed-body")
    await service.api.get("/missing")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_a_body_that_is_declared_too_large_is_refused_before_it_comes(service: Running) -> None:
    head, _ = await raw(service, JSON_POST + b"Content-Length: 99999999999\r\n\r\n{")
    assert head.startswith(b"HTTP/1.1 413 ")


async def test_a_client_that_goes_away_is_no_error_of_the_service(service: Running) -> None:
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(JSON_POST + b'Content-Length: 100\r\n\r\n{"te')
        await writer.drain()
        writer.close()
        async with asyncio.timeout(10):
            while not any(line["event"] == "request" for line in logs):
                await asyncio.sleep(0.01)
    assert [(line["event"], line["status"]) for line in logs] == [("request", 499)]


async def test_no_answer_tells_a_version(service: Running) -> None:
    for client in (service.api, service.internal):
        for path in ("/missing", "/livez"):
            assert (await client.get(path)).headers["Server"] == "aiohttp"


async def test_a_database_that_is_away_is_a_503_and_the_service_lives(start: Start) -> None:
    service = await start(wait=False, database_url=SecretStr("postgresql://nobody:hunter2@127.0.0.1:1/nothing"))
    response = await service.api.get("/transaction")
    problem = await response.json()
    assert (response.status, problem["type"]) == (503, "urn:problem-type:database-unavailable")
    assert response.headers["Retry-After"] == "1"
    assert "127.0.0.1" not in await response.text()
    assert (await service.internal.get("/livez")).status == 200


async def test_a_statement_that_takes_too_long_is_a_503(start: Start) -> None:
    service = await start(database_command_timeout_seconds=0.1)
    response = await service.api.get("/sleep/5000")
    assert (response.status, (await response.json())["type"]) == (503, "urn:problem-type:database-unavailable")


async def test_a_transaction_runs_on_one_connection(service: Running) -> None:
    assert await (await service.api.get("/transaction")).json() == {"sum": 3}
