"""What handlers take and give beyond JSON: headers, raw bodies, aiohttp's request, cookies, statuses, errors."""

import asyncio
import gzip
import hashlib
import hmac
import json
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any, Literal

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import Field
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from chassis.application import create_application
from chassis.caller import Caller
from chassis.conditional import Versioned
from chassis.contract import Header, ResponseHead, Route, contract_of
from chassis.database import Database
from chassis.errors import _BUILT_IN, ConflictError, Problem, ServiceError
from chassis.http.openapi import openapi_document
from chassis.http.problem_details import PROBLEM_TYPES, ProblemTypes
from chassis.models import Body
from chassis.project import project
from chassis.server.serve import serve
from chassis.server.signals import Shutdown
from chassis.server.sockets import listen
from chassis.service import Service
from chassis.settings import Settings
from tests.chassis.issuer import issuer

SECRET = b"hunter2"


class OutOfStockError(ServiceError):
    """The article is out of stock."""

    seconds = 30


class SoldOutError(OutOfStockError):
    """A subclass, which has no mapping of its own."""


class LateError(Exception):
    """Not a ServiceError, so that its message is not for the client."""


class BrokenHeadersError(ServiceError):
    """Its headers have a line break."""


class WrongSignatureError(ServiceError):
    """The signature does not fit the body."""


class UnmappedError(ServiceError):
    """Nothing maps it."""


ERRORS: Mapping[type[Exception], Problem] = {
    OutOfStockError: Problem(409, "out-of-stock", headers=lambda error: {"Retry-After": str(error.seconds)}),
    LateError: Problem(410, "too-late", detail="The time for it has passed."),
    BrokenHeadersError: Problem(418, "broken-headers", headers=lambda _: {"X-Broken": "hunter2\r\nX-Injected: 1"}),
    WrongSignatureError: Problem(403, "wrong-signature"),
}


class Note(Body):
    """A JSON body."""

    text: str


class Version(Versioned):
    """A result with an entity tag."""

    name: str = "a"


async def receive(body: bytes, x_signature: Annotated[str, Header()]) -> None:
    """Take a webhook."""
    signature = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(signature.encode(), x_signature.encode()):
        raise WrongSignatureError("The signature does not fit the body.")


async def length(body: bytes) -> dict[str, int]:
    return {"bytes": len(body)}


async def length_of_patch(body: bytes) -> dict[str, int]:
    return {"bytes": len(body)}


async def merge(body: Note) -> Note:
    return body


async def typed_headers(
    level: Annotated[int, Field(ge=1, le=5), Header("X-Level")],
    mode: Annotated[Literal["fast", "safe"], Header("X-Mode")] = "safe",
    trace: Annotated[str | None, Header("X-Trace-Name")] = None,
    if_none: Annotated[str, Header] = "",
) -> dict[str, Any]:
    return {"level": level, "mode": mode, "trace": trace, "if_none": if_none}


async def raw(request: web.Request) -> dict[str, Any]:
    """Read the body by the method that the query names."""
    read = await getattr(request, request.headers["X-Read"])()
    again = await request.read()
    if isinstance(read, bytes | str):
        return {"size": len(read), "again": len(again)}
    if isinstance(read, Mapping):
        return {
            name: value.file.read().decode() if isinstance(value, web.FileField) else str(value)
            for name, value in read.items()
        }
    return {"json": read}


async def raw_and_typed(request: web.Request, body: Note) -> dict[str, str]:
    return {"text": (await request.json())["text"], "typed": body.text}


async def streamed(request: web.Request) -> dict[str, int]:
    return {"bytes": sum([len(chunk) async for chunk in request.content.iter_any()])}


async def catches(request: web.Request) -> dict[str, bool]:
    try:
        await request.json()
    except ValueError:
        return {"caught": True}
    return {"caught": False}


async def cookies(name: str, head: ResponseHead, request: web.Request) -> dict[str, str]:
    """Set a cookie to what the request's header says, and return the request's cookies."""
    head.status = 202
    head.headers["Cache-Control"] = "no-store"
    head.headers.add("Link", "</a>; rel=a")
    head.headers.add("Link", "</b>; rel=b")
    head.set_cookie(name, request.headers.get("X-Value", ""), max_age=60)
    head.set_cookie("other", "1", httponly=False, secure=False, path="/cookies", samesite="Strict")
    head.delete_cookie("old")
    return {key: value.encode(errors="replace").decode() for key, value in request.cookies.items()}


async def set_header(head: ResponseHead, x_value: Annotated[str, Header()], x_name: Annotated[str, Header()]) -> None:
    head.headers[x_name] = x_value.replace("|", "\r\n")


async def set_status(status: int, head: ResponseHead) -> dict[str, int]:
    head.status = status
    return {"status": status}


async def version(head: ResponseHead) -> Version:
    head.headers["Cache-Control"] = "max-age=1"
    return Version(version=1)


async def create(body: Note, database: Database, head: ResponseHead) -> Note:
    head.status = 202
    head.headers["X-Run"] = str(await database.fetchrow("SELECT txid_current()"))
    head.set_cookie("run", "1")
    return body


async def table() -> str:
    return "name,price\r\nLämp,1\r\n"


async def picture() -> bytes:
    return b"\x89PNG\xff"


async def table_once(body: bytes, database: Database) -> bytes:
    return f"{await database.fetchrow('SELECT txid_current()')},{len(body)}".encode()


async def geo() -> dict[str, str]:
    return {"type": "Point"}


async def fail(name: str) -> None:
    error = {
        "out-of-stock": OutOfStockError("There is no lamp left."),
        "silent": OutOfStockError(),
        "sold-out": SoldOutError("None will come."),
        "late": LateError("hunter2"),
        "headers": BrokenHeadersError("Its headers are broken."),
        "unmapped": UnmappedError("Nothing maps it."),
    }
    raise error[name]


async def fail_in_aiohttp(status: int) -> None:
    classes = {each.status_code: each for each in vars(web).values() if _is_http_exception(each)}
    if status == 413:
        raise web.HTTPRequestEntityTooLarge(1, 2)
    if status == 405:
        raise web.HTTPMethodNotAllowed("GET", ["PUT"])
    if status == 451:
        raise web.HTTPUnavailableForLegalReasons("https://example.com/law", headers={"X-Law": "1"})
    raise classes[status]()


def _is_http_exception(each: object) -> bool:
    return isinstance(each, type) and issubclass(each, web.HTTPException) and each.status_code > 0


async def whoever(caller: Caller) -> dict[str, str]:
    return {"subject": caller.subject}


async def somebody(caller: Caller) -> dict[str, str]:
    return {"subject": caller.subject}


async def old(name: str) -> dict[str, str]:
    if name == "broken":
        raise RuntimeError
    if name == "missing":
        raise OutOfStockError("There is none.")
    return {"name": name}


async def old_for_long() -> None: ...


async def sleep() -> None:
    await asyncio.sleep(1)


ANY = ("*/*",)
ROUTES = [
    Route("POST", "/webhook", receive, consumes=("application/json",), raises=(WrongSignatureError,), public=True),
    Route("POST", "/length", length, consumes=("application/json", "image/*")),
    Route("PATCH", "/length", length_of_patch, consumes=ANY),
    Route("PATCH", "/merge", merge, consumes=("application/merge-patch+json",)),
    Route("GET", "/headers", typed_headers),
    Route("POST", "/raw", raw),
    Route("POST", "/raw-and-typed", raw_and_typed),
    Route("POST", "/streamed", streamed),
    Route("POST", "/catches", catches),
    Route("GET", "/cookies/{name}", cookies),
    Route("DELETE", "/set-header", set_header),
    Route("GET", "/set-status/{status}", set_status),
    Route("GET", "/version", version),
    Route("POST", "/create", create, status=201, statuses=(202,)),
    Route("GET", "/table", table, produces="text/csv"),
    Route("GET", "/picture", picture, produces="image/png"),
    Route("POST", "/table", table_once, consumes=ANY, produces="text/csv"),
    Route("GET", "/geo", geo, produces="application/geo+json"),
    Route("DELETE", "/fail/{name}", fail, raises=(SoldOutError, LateError, UnmappedError)),
    Route("DELETE", "/fail-in-aiohttp/{status}", fail_in_aiohttp, raises=(web.HTTPGone,)),
    Route("GET", "/whoever", whoever, public=True),
    Route("GET", "/somebody", somebody),
    Route("GET", "/old/{name}", old, deprecated="2027-06-30", deprecated_since="2026-12-01", raises=(OutOfStockError,)),
    Route("GET", "/sleep", sleep),
    Route("DELETE", "/old", old_for_long, deprecated="2027-06-30"),
]

SERVICE = Service(settings=Settings, routes=ROUTES, errors=ERRORS)


class Running:
    """A running service."""

    def __init__(self, api: aiohttp.ClientSession, internal: aiohttp.ClientSession, port: int) -> None:
        self.api, self.internal, self.port = api, internal, port

    async def send(self, text: bytes) -> tuple[bytes, bytes]:
        """Send bytes; return the head and the body of the response, and fail if more follows."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        async with asyncio.timeout(5):
            writer.write(text)
            head = await reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"Content-Length: (\d+)", head)
            body = await reader.readexactly(int(found[1]) if found else 0)
        writer.close()
        return head, body

    async def send_webhook(self, headers: bytes, body: bytes) -> tuple[bytes, bytes]:
        length = f"Content-Length: {len(body)}\r\n\r\n".encode()
        start = b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        return await self.send(start + headers + length + body)


Start = Callable[..., Awaitable[Running]]


@asynccontextmanager
async def running(settings: Settings, configure: Callable[[web.Application], object]) -> AsyncIterator[Running]:
    with listen("127.0.0.1", 0) as api, listen("127.0.0.1", 0) as internal:
        ports = api.getsockname()[1], internal.getsockname()[1]
        application, shutdown = create_application(SERVICE, settings), Shutdown()
        configure(application.api)
        served = asyncio.create_task(serve(application, [api], [internal], shutdown))
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{ports[0]}", cookie_jar=aiohttp.DummyCookieJar()) as api_client,
            aiohttp.ClientSession(f"http://127.0.0.1:{ports[1]}") as internal_client,
        ):
            while (await internal_client.get("/readyz")).status != 200:
                await asyncio.sleep(0.01)
            yield Running(api_client, internal_client, ports[0])
            shutdown.request(immediate=True)
            await served


@pytest.fixture
async def start(settings: Settings) -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def begin(configure: Callable[[web.Application], object] = lambda _: None, **changes: object) -> Running:
            return await stack.enter_async_context(running(settings.model_copy(update=changes), configure))

        yield begin


@pytest.fixture
async def service(start: Start) -> Running:
    return await start()


async def problem_of(response: aiohttp.ClientResponse) -> tuple[int, str]:
    problem = await response.json(content_type="application/problem+json")
    assert problem["status"] == response.status
    assert problem["request_id"] == response.headers["X-Request-ID"]
    return response.status, problem["type"].removeprefix("urn:problem-type:")


def sign(body: bytes) -> bytes:
    return b"X-Signature: " + hmac.new(SECRET, body, hashlib.sha256).hexdigest().encode() + b"\r\n"


# Webhooks


@pytest.mark.parametrize("body", [b'{"id": 1}', b"", b"no JSON \xff", b" {}\n"])
async def test_a_webhook_s_signature_is_that_of_its_bytes(service: Running, body: bytes) -> None:
    head, _ = await service.send_webhook(sign(body), body)
    assert head.startswith(b"HTTP/1.1 204 ")
    compressed = gzip.compress(body)
    head, _ = await service.send_webhook(sign(body) + b"Content-Encoding: gzip\r\n", compressed)
    assert head.startswith(b"HTTP/1.1 204 ")


@pytest.mark.parametrize(
    ("headers", "status", "problem", "rule"),
    [
        (b"", 422, "invalid-request", "Is required"),
        (b"X-Signature: 0\r\n", 403, "wrong-signature", None),
        (b"X-Signature: \xc3\xa4\r\n", 403, "wrong-signature", None),
        (sign(b"{}") + b"X-Signature: 0\r\n", 422, "invalid-request", "Should be given once"),
        (sign(b"{}") + sign(b"{}"), 422, "invalid-request", "Should be given once"),
        (b"X-Signature: hunter2\xff\xfe\r\n", 422, "invalid-request", "Should be text in UTF-8"),
        (sign(b"{}") + b"Content-Encoding: br\r\n", 415, "unsupported-media-type", None),
        (sign(b"{}") + b"Content-Encoding: gzip\r\n", 400, "malformed-body", None),
    ],
)
async def test_a_webhook_that_is_not_signed_is_refused(
    service: Running, headers: bytes, status: int, problem: str, rule: str | None
) -> None:
    with capture_logs(processors=[merge_contextvars]) as logs:
        head, body = await service.send_webhook(headers, b"{}")
    answer = json.loads(body)
    assert (int(head.split()[1]), answer["type"]) == (status, f"urn:problem-type:{problem}")
    assert answer.get("errors") == ([{"header": "X-Signature", "detail": rule}] if rule else None)
    assert b"hunter2" not in body
    assert "hunter2" not in str(logs)
    assert [line["status"] for line in logs if line["event"] == "request"] == [status]


async def test_all_wrong_values_are_named_together(service: Running) -> None:
    response = await service.api.get("/headers?colour=red", headers={"X-Level": "9", "X-Mode": "slow"})
    assert await problem_of(response) == (422, "invalid-request")
    places = [
        {key: value for key, value in each.items() if key != "detail"} for each in (await response.json())["errors"]
    ]
    assert places == [{"parameter": "colour"}, {"header": "X-Level"}, {"header": "X-Mode"}]


async def test_headers_have_types_and_default_values(service: Running) -> None:
    response = await service.api.get("/headers", headers={"X-Level": "3"})
    assert await response.json() == {"level": 3, "mode": "safe", "trace": None, "if_none": ""}
    given = {"x-level": "3", "X-Mode": "fast", "X-Trace-Name": "ä", "If-None": "x"}
    response = await service.api.get("/headers", headers=given)
    assert await response.json() == {"level": 3, "mode": "fast", "trace": "ä", "if_none": "x"}


# Raw bodies


@pytest.mark.parametrize(
    ("method", "path", "media_type", "status"),
    [
        ("POST", "/length", "application/json", 200),
        ("POST", "/length", "image/png", 200),
        ("POST", "/length", "IMAGE/GIF; q=1", 200),
        ("POST", "/length", "imagery/png", 415),
        ("POST", "/length", "text/plain", 415),
        ("PATCH", "/length", "text/plain", 200),
        ("PATCH", "/length", None, 200),
        ("PATCH", "/merge", "application/json", 415),
    ],
)
async def test_a_body_has_a_media_type_that_the_route_takes(
    service: Running, method: str, path: str, media_type: str | None, status: int
) -> None:
    type_ = f"Content-Type: {media_type}\r\n" if media_type else ""
    head, body = await service.send(
        f"{method} {path} HTTP/1.1\r\nHost: a\r\n{type_}Content-Length: 2\r\n\r\n{{}}".encode()
    )
    assert (int(head.split()[1]), json.loads(body).get("bytes")) == (status, 2 if status == 200 else None)
    assert (b"\r\nAccept-Patch: application/merge-patch+json\r\n" in head) is (method == "PATCH" and status == 415)


async def test_a_model_may_have_another_json_media_type(service: Running) -> None:
    headers = {"Content-Type": "application/merge-patch+json"}
    assert await (await service.api.patch("/merge", data=b'{"text":"a"}', headers=headers)).json() == {"text": "a"}


BOUNDARY = "multipart/form-data; boundary=b"
FORM = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b\r\nContent-Disposition: form-data; name="f"; \
filename="f"\r\n\r\nfile\r\n--b--\r\n'


@pytest.mark.parametrize(
    "compress", [lambda body: body, gzip.compress, zlib.compress], ids=["plain", "gzip", "deflate"]
)
@pytest.mark.parametrize("server", ["service", "test"])
@pytest.mark.parametrize(
    ("read", "media_type", "body", "expected"),
    [
        ("read", "text/plain", b"abc", {"size": 3, "again": 3}),
        ("text", "text/plain; charset=latin-1", b"\xe4", {"size": 1, "again": 1}),
        ("json", "application/json", b"[1]", {"json": [1]}),
        ("post", "application/x-www-form-urlencoded", b"a=1&b=2", {"a": "1", "b": "2"}),
        ("post", BOUNDARY, FORM, {"a": "1", "f": "file"}),
        ("post", "text/plain", b"a=1", {}),
    ],
)
async def test_aiohttp_s_request_reads_a_body_of_every_encoding(
    start: Start,
    settings: Settings,
    server: str,
    read: str,
    media_type: str,
    body: bytes,
    expected: object,
    compress: Callable[[bytes], bytes],
) -> None:
    sent = compress(body)
    encoding = {"\x1f": "gzip", "x": "deflate"}.get(sent[:1].decode("latin-1"), "identity")
    headers = {"X-Read": read, "Content-Type": media_type, "Content-Encoding": encoding}
    if server == "service":
        response = await (await start()).api.post("/raw", data=sent, headers=headers, compress=None)
        assert (response.status, await response.json()) == (200, expected)
        return
    async with TestClient(TestServer(create_application(SERVICE, settings).api)) as client:
        answer = await client.post("/raw", data=sent, headers=headers, compress=None)
        assert (answer.status, await answer.json()) == (200, expected)


@pytest.mark.parametrize(
    ("read", "headers", "body", "status", "problem"),
    [
        ("read", {}, b"x" * 2000, 413, "body-too-large"),
        ("read", {"Content-Encoding": "gzip"}, gzip.compress(b"x" * 2000, mtime=0), 413, "body-too-large"),
        ("post", {"Content-Type": BOUNDARY}, FORM.replace(b"file\r", b"x" * 2000 + b"\r"), 413, "body-too-large"),
        ("read", {"Content-Encoding": "br"}, b"x", 415, "unsupported-media-type"),
        ("read", {"Content-Encoding": "gzip"}, b"x", 400, "malformed-body"),
        ("text", {}, b"\xff", 400, "malformed-body"),
        ("text", {"Content-Type": "text/plain; charset=nonsense"}, b"a", 400, "malformed-body"),
        ("json", {}, b"{", 400, "malformed-body"),
        ("json", {}, b"[" * 900, 400, "malformed-body"),
        ("post", {"Content-Type": BOUNDARY}, b"nothing", 400, "malformed-body"),
        ("post", {"Content-Type": "multipart/form-data"}, FORM, 400, "malformed-body"),
        ("post", {"Content-Type": BOUNDARY}, FORM[:-20], 400, "malformed-body"),
        ("post", {"Content-Type": BOUNDARY}, FORM.replace(b"; name=", b"; nome="), 400, "malformed-body"),
        ("post", {"Content-Type": "application/x-www-form-urlencoded"}, b"a=\xff", 400, "malformed-body"),
        ("post", {"Content-Type": "application/x-www-form-urlencoded"}, b"a&" * 400 + b"a" * 300, 200, ""),
    ],
)
async def test_a_hostile_body_of_a_raw_request_is_the_client_s_mistake(
    start: Start, read: str, headers: dict[str, str], body: bytes, status: int, problem: str
) -> None:
    service = await start(max_body_bytes=1200)
    with capture_logs(processors=[merge_contextvars]) as logs:
        response = await service.api.post("/raw", data=body, headers={"X-Read": read, **headers}, compress=None)
    assert response.status == status
    if status != 200:
        assert await problem_of(response) == (status, problem)
    assert not [line for line in logs if line["log_level"] == "error"]


async def test_a_slow_raw_body_is_a_408_and_takes_no_place_in_flight(start: Start) -> None:
    service = await start(body_timeout_seconds=0.5, max_in_flight=1)
    slow = asyncio.create_task(
        service.send(b"POST /raw HTTP/1.1\r\nHost: a\r\nX-Read: read\r\nContent-Length: 9\r\n\r\nabc")
    )
    await asyncio.sleep(0.2)
    assert (await service.api.get("/table")).status == 200
    head, body = await slow
    assert head.startswith(b"HTTP/1.1 408 ")
    assert json.loads(body)["type"] == "urn:problem-type:request-timeout"


async def test_the_raw_request_and_a_model_of_its_body_go_together(service: Running) -> None:
    response = await service.api.post("/raw-and-typed", json={"text": "a"})
    assert await response.json() == {"text": "a", "typed": "a"}


async def test_the_stream_stays_raw_and_an_error_may_be_caught(service: Running) -> None:
    sent = gzip.compress(b"x" * 1000)
    response = await service.api.post("/streamed", data=sent, headers={"Content-Encoding": "gzip"}, compress=None)
    assert await response.json() == {"bytes": len(sent)}
    assert await (await service.api.post("/catches", data=b"{")).json() == {"caught": True}


def add_aiohttp_handlers(api: web.Application) -> None:
    """Add what a service's `configure` may add: handlers of aiohttp, and a sub-application."""

    async def read(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await request.read())))

    async def break_header(_: web.Request) -> web.Response:
        return web.Response(text="hunter2", headers={"X-Broken": "hunter2\r\nX-Injected: 1"})

    async def redirect(request: web.Request) -> web.Response:
        found = web.HTTPSeeOther("/elsewhere", headers={"X-Own": "1"})
        found.set_cookie("a", "b")
        raise found

    async def refuse(_: web.Request) -> web.Response:
        raise web.HTTPBadRequest(text="The colour is unknown.", headers={"X-Own": "1"})

    async def unauthorized(_: web.Request) -> web.Response:
        refusal = web.HTTPUnauthorized(headers={"WWW-Authenticate": "Basic"}, text="<p>x", content_type="text/html")
        refusal.set_cookie("a", "b")
        raise refusal

    async def broken_refusal(_: web.Request) -> web.Response:
        raise web.HTTPBadRequest(headers={"X-Broken": "hunter2\r\nX-Injected: 1"})

    async def no_status(_: web.Request) -> web.Response:
        raise web.HTTPException

    sub = web.Application()
    sub.router.add_post("/read", read)
    sub.router.add_get("/missing", refuse)
    api.router.add_post("/aiohttp/read", read)
    api.router.add_get("/aiohttp/broken-header", break_header)
    api.router.add_get("/aiohttp/redirect", redirect)
    api.router.add_get("/aiohttp/refuse", refuse)
    api.router.add_get("/aiohttp/unauthorized", unauthorized)
    api.router.add_get("/aiohttp/broken-refusal", broken_refusal)
    api.router.add_get("/aiohttp/no-status", no_status)
    api.add_subapp("/sub", sub)


@pytest.mark.parametrize("path", ["/aiohttp/read", "/sub/read"])
async def test_limits_and_decompression_hold_for_aiohttp_s_own_handlers(start: Start, path: str) -> None:
    service = await start(add_aiohttp_handlers, max_body_bytes=1000)
    headers = {"Content-Encoding": "gzip"}
    response = await service.api.post(path, data=gzip.compress(b"x" * 900), headers=headers, compress=None)
    assert await response.text() == "900"
    response = await service.api.post(path, data=gzip.compress(b"x" * 1100), headers=headers, compress=None)
    assert await problem_of(response) == (413, "body-too-large")


# The response's head


@pytest.mark.parametrize("value", ["plain", "", 'a b; c="d", e\\f', "é", "%0d%0a", "'<>'", "\\073", "x" * 1000])
async def test_a_cookie_with_odd_characters_comes_back_as_it_was(service: Running, value: str) -> None:
    response = await service.api.get("/cookies/session", headers={"X-Value": value})
    assert (response.status, response.headers["Cache-Control"]) == (202, "no-store")
    assert response.headers.getall("Link") == ["</a>; rel=a", "</b>; rel=b"]
    sent = response.headers.getall("Set-Cookie")
    assert sent[0].endswith("; HttpOnly; Max-Age=60; Path=/; SameSite=Lax; Secure")
    assert sent[1] == "other=1; Path=/cookies; SameSite=Strict"
    assert sent[2] == 'old=""; HttpOnly; Max-Age=0; Path=/; SameSite=Lax; Secure'
    cookie = sent[0].removesuffix("; HttpOnly; Max-Age=60; Path=/; SameSite=Lax; Secure")
    again = await service.api.get("/cookies/session", headers={"Cookie": cookie})
    assert await again.json() == {"session": value}


@pytest.mark.parametrize(
    "cookie", [b"a=\xff", b"=;;==", b'a="', b"session=\x01", b"a=1; a=2", b"\xc3\xa4=1", b"a" * 4000]
)
async def test_odd_cookies_of_a_request_are_no_error_of_the_service(service: Running, cookie: bytes) -> None:
    head, _ = await service.send(b"GET /cookies/a HTTP/1.1\r\nHost: a\r\nCookie: " + cookie + b"\r\n\r\n")
    assert int(head.split()[1]) < 500


async def test_a_cookie_s_name_that_is_none_is_a_500(service: Running) -> None:
    assert await problem_of(await service.api.get("/cookies/a%3Bb")) == (500, "internal-error")


def test_a_cookie_s_path_has_no_semicolon() -> None:
    with pytest.raises(ValueError, match="semicolon"):
        ResponseHead().set_cookie("a", "b", path="/; Domain=example.com")


@pytest.mark.parametrize("keep_alive", [b"", b"Connection: close\r\n"], ids=["one write", "aiohttp's writer"])
@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        (b"X-Own", b"1", 204),
        (b"X-Own", "é".encode(), 204),
        (b"X-Own", b"hunter2|X-Injected: 1", 500),
        (b"X Own", b"hunter2", 500),
        (b"Content-Length", b"17", 500),
        (b"Transfer-Encoding", b"chunked", 500),
    ],
)
async def test_a_header_that_cannot_be_sent_is_a_500(
    service: Running, name: bytes, value: bytes, status: int, keep_alive: bytes
) -> None:
    text = b"DELETE /set-header HTTP/1.1\r\nHost: a\r\nX-Name: " + name + b"\r\nX-Value: " + value + b"\r\n"
    with capture_logs(processors=[merge_contextvars]) as logs:
        head, body = await service.send(text + keep_alive + b"\r\n")
    assert int(head.split()[1]) == status
    assert b"X-Injected" not in head + body
    assert b"hunter2" not in head + body
    assert [line["status"] for line in logs if line["event"] == "request"] == [status]


@pytest.mark.parametrize(("status", "answer"), [(203, 203), (204, 204), (404, 404), (99, 500), (600, 500), (-1, 500)])
async def test_a_status_out_of_range_is_a_500(service: Running, status: int, answer: int) -> None:
    response = await service.api.get(f"/set-status/{status}")
    assert (response.status, len(await response.read()) > 0) == (answer, answer != 204)


async def test_a_304_has_the_handler_s_headers_too(service: Running) -> None:
    response = await service.api.get("/version")
    again = await service.api.get("/version", headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status, again.headers["Cache-Control"]) == (304, "max-age=1")


async def test_a_repeated_request_gets_the_head_of_the_first(service: Running) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await service.api.post("/create", json={"text": "a"}, headers=headers)
    again = await service.api.post("/create", json={"text": "a"}, headers=headers)
    assert first.status == again.status == 202
    for name in ("X-Run", "Set-Cookie"):
        assert first.headers.getall(name) == again.headers.getall(name)
    other = await service.api.post("/create", json={"text": "a"})
    assert other.headers["X-Run"] != first.headers["X-Run"]


async def test_a_raw_body_is_repeated_by_its_bytes(service: Running) -> None:
    headers = {"Idempotency-Key": "two", "Content-Type": "application/x-own"}
    first = await service.api.post("/table", data=b"\xff\xfe", headers=headers)
    again = await service.api.post("/table", data=b"\xff\xfe", headers=headers)
    assert (await first.read(), first.headers["Content-Type"]) == (await again.read(), again.headers["Content-Type"])
    other = await service.api.post("/table", data=b"\xfe\xff", headers=headers)
    assert await problem_of(other) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    ("path", "media_type", "body"),
    [
        ("/table", "text/csv; charset=utf-8", "name,price\r\nLämp,1\r\n".encode()),
        ("/picture", "image/png", b"\x89PNG\xff"),
        ("/geo", "application/geo+json", b'{"type":"Point"}'),
    ],
)
async def test_an_answer_may_have_another_media_type(service: Running, path: str, media_type: str, body: bytes) -> None:
    response = await service.api.get(path)
    assert (response.headers["Content-Type"], await response.read()) == (media_type, body)
    head = await service.api.head(path)
    assert (head.headers["Content-Type"], head.headers["Content-Length"]) == (media_type, str(len(body)))


# Errors


@pytest.mark.parametrize(
    ("name", "status", "problem", "detail"),
    [
        ("out-of-stock", 409, "out-of-stock", "There is no lamp left."),
        ("silent", 409, "out-of-stock", "Out of stock."),
        ("sold-out", 409, "out-of-stock", "None will come."),
        ("late", 410, "too-late", "The time for it has passed."),
        ("unmapped", 500, "internal-error", "Nothing maps it."),
    ],
)
async def test_an_error_of_the_domain_has_its_problem(
    service: Running, name: str, status: int, problem: str, detail: str
) -> None:
    with capture_logs(processors=[merge_contextvars]) as logs:
        response = await service.api.delete(f"/fail/{name}")
    assert await problem_of(response) == (status, problem)
    assert (await response.json())["detail"] == detail
    assert response.headers.get("Retry-After") == ("30" if problem == "out-of-stock" else None)
    assert [(line["status"], line["problem"]) for line in logs if line["event"] == "request"] == [(status, problem)]
    assert ("error" in [line["log_level"] for line in logs]) == (status == 500)


async def test_an_error_s_header_with_a_line_break_is_a_500(service: Running) -> None:
    with capture_logs() as logs:
        head, body = await service.send(b"DELETE /fail/headers HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [line["status"] for line in logs if line["event"] == "request"] == [500]
    assert (head.split()[1], json.loads(body)["type"]) == (b"500", "urn:problem-type:internal-error")
    assert b"hunter2" not in head + body


async def test_the_start_warns_of_an_error_that_nothing_maps(start: Start) -> None:
    with capture_logs(processors=[merge_contextvars]) as logs:
        await start()
    warnings = [line for line in logs if line["event"] == "error_not_mapped"]
    assert [(line["route"], line["error"].rpartition(".")[2]) for line in warnings] == [
        ("DELETE /fail/{name}", "UnmappedError")
    ]


@pytest.mark.parametrize(
    ("status", "type_", "message"),
    [
        (399, "late", "use one from 400 to 599"),
        (600, "late", "use one from 400 to 599"),
        (409, "Out of stock", "lowercase words with dashes"),
        (409, "", "lowercase words with dashes"),
        (409, "late\n", "lowercase words with dashes"),
        (410, "not-found", "the chassis' own and has the status 404"),
    ],
)
def test_a_problem_that_cannot_be_is_refused(status: int, type_: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Problem(status, type_)


def test_one_type_has_one_status() -> None:
    with pytest.raises(ValueError, match="one type has one status"):
        ProblemTypes({OutOfStockError: Problem(409, "late"), LateError: Problem(410, "late")})
    with pytest.raises(TypeError, match="is no class of exceptions"):
        ProblemTypes({str: Problem(409, "late")})
    assert {kind.name: kind.status for kind in PROBLEM_TYPES.values()} == _BUILT_IN


def test_the_nearest_class_decides() -> None:
    class TakenError(ConflictError):
        pass

    types = ProblemTypes({ConflictError: Problem(423, "locked"), SoldOutError: Problem(404, "not-found")})
    assert types.of(TakenError).name == "locked"
    assert (types.of(SoldOutError).name, types.of(OutOfStockError).name) == ("not-found", "internal-error")


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (400, "bad-request"),
        (401, "unauthorized"),
        (402, "payment-required"),
        (404, "not-found"),
        (405, "method-not-allowed"),
        (409, "conflict"),
        (410, "gone"),
        (413, "body-too-large"),
        (414, "uri-too-long"),
        (416, "range-not-satisfiable"),
        (422, "unprocessable-content"),
        (429, "too-many-requests"),
        (451, "unavailable-for-legal-reasons"),
        (500, "internal-error"),
        (502, "bad-gateway"),
        (503, "service-unavailable"),
        (507, "insufficient-storage"),
    ],
)
async def test_aiohttp_s_exceptions_are_problems(service: Running, status: int, problem: str) -> None:
    with capture_logs(processors=[merge_contextvars]) as logs:
        response = await service.api.delete(f"/fail-in-aiohttp/{status}")
    assert await problem_of(response) == (status, problem)
    assert [line["problem"] for line in logs if line["event"] == "request"] == [problem]
    assert str(status) not in (await response.json())["detail"], "aiohttp's own text, such as 410: Gone"
    assert ("Retry-After" in response.headers) == (status == 503)
    assert response.headers.get("Allow") == ("PUT" if status == 405 else None)
    assert response.headers.get("X-Law") == ("1" if status == 451 else None)


async def test_redirects_and_errors_of_aiohttp_s_handlers_keep_what_they_have(start: Start) -> None:
    service = await start(add_aiohttp_handlers)
    with capture_logs(processors=[merge_contextvars]) as logs:
        response = await service.api.get("/aiohttp/redirect", allow_redirects=False, headers={"X-Request-ID": "mine"})
    assert (response.status, response.headers["Location"], response.headers["X-Own"]) == (303, "/elsewhere", "1")
    assert (response.headers["X-Request-ID"], response.cookies["a"].value) == ("mine", "b")
    assert [(line["status"], line.get("problem")) for line in logs if line["event"] == "request"] == [(303, None)]
    for path in ("/aiohttp/refuse", "/sub/missing"):
        response = await service.api.get(path)
        assert await problem_of(response) == (400, "bad-request")
        assert ((await response.json())["detail"], response.headers["X-Own"]) == ("The colour is unknown.", "1")
    response = await service.api.get("/aiohttp/unauthorized")
    assert await problem_of(response) == (401, "unauthorized")
    assert (response.headers["WWW-Authenticate"], response.cookies["a"].value) == ("Basic", "b")
    assert (await response.json())["detail"] == "Unauthorized."
    for path in ("/sub/none", "/none"):
        assert await problem_of(await service.api.get(path)) == (404, "no-such-route")
    response = await service.api.get("/sub/read")
    assert (*await problem_of(response), response.headers["Allow"]) == (405, "method-not-allowed", "POST")


@pytest.mark.parametrize("path", [b"broken-header", b"broken-refusal", b"no-status"])
@pytest.mark.parametrize("keep_alive", [b"", b"Connection: close\r\n"], ids=["one write", "aiohttp's writer"])
async def test_a_response_of_aiohttp_s_handlers_that_cannot_be_sent_is_a_500(
    start: Start, path: bytes, keep_alive: bytes
) -> None:
    service = await start(add_aiohttp_handlers)
    with capture_logs(processors=[merge_contextvars]) as logs:
        head, body = await service.send(b"GET /aiohttp/" + path + b" HTTP/1.1\r\nHost: a\r\n" + keep_alive + b"\r\n")
    assert (head.split()[1], json.loads(body)["type"]) == (b"500", "urn:problem-type:internal-error")
    assert b"hunter2" not in head + body
    assert b"\r\nServer: aiohttp\r\n" in head, "versions are not told"
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["unforeseen_error"]


# Public and deprecated routes


async def test_a_public_route_asks_for_no_token(start: Start) -> None:
    async with issuer() as made:
        service = await start(**made.settings)
        assert await (await service.api.get("/whoever")).json() == {"subject": ""}
        ignored = await service.api.get("/whoever", headers={"Authorization": "Bearer nonsense"})
        assert ignored.status == 200
        assert await problem_of(await service.api.get("/somebody")) == (401, "unauthorized")


@pytest.mark.parametrize(("name", "status"), [("a", 200), ("missing", 409), ("broken", 500), ("a?b=1", 422)])
async def test_every_answer_of_a_deprecated_route_says_so(service: Running, name: str, status: int) -> None:
    response = await service.api.get(f"/old/{name}")
    assert response.status == status
    assert response.headers["Deprecation"] == "@1796083200"  # 2026-12-01T00:00:00Z
    assert response.headers["Sunset"] == "Wed, 30 Jun 2027 23:59:59 GMT"


async def test_calls_of_deprecated_routes_are_counted(service: Running) -> None:
    async def count() -> float:
        text = await (await service.internal.get("/metrics")).text()
        found = re.search(r'http_server_deprecated_requests_total\{method="DELETE",route="/old"\} (\S+)', text)
        return float(found[1]) if found else -1

    before = await count()
    response = await service.api.delete("/old")
    assert (response.status, response.headers["Deprecation"]) == (204, "@0")
    assert (before >= 0, await count() - before) == (True, 1)
    assert "Deprecation" not in (await service.api.get("/table")).headers


async def test_a_deprecated_route_says_so_without_being_reached(start: Start) -> None:
    service = await start(max_in_flight=1)
    slow = asyncio.create_task(service.api.get("/sleep"))
    await asyncio.sleep(0.05)
    response = await service.api.get("/old/a")
    assert await problem_of(response) == (503, "overloaded")
    assert response.headers["Deprecation"] == "@1796083200"
    await slow


# Contracts that cannot be


async def _two_bodies(body: Note, raw_body: bytes) -> None: ...
async def _bytes(body: bytes) -> None: ...
async def _none() -> None: ...
async def _text() -> str:
    return ""


async def _bad_name(value: Annotated[str, Header("X Name")]) -> None: ...


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"handler": _bytes}, "say which media types"),
        ({"handler": _two_bodies, "consumes": ANY}, "there is one body"),
        ({"handler": _none, "consumes": ANY}, "no parameter takes a body"),
        ({"handler": _none, "produces": "text/csv"}, "should return bytes or str"),
        ({"handler": _bad_name}, "no name of a header"),
        ({"handler": _bytes, "consumes": "text/csv"}, 'consumes=\\("application/json",\\)'),
        ({"handler": _bytes, "consumes": ("json",)}, "consumes should be media types"),
        ({"handler": _text, "produces": "text/*"}, "produces should be one media type"),
        ({"handler": _text, "produces": "text/csv; charset=x"}, "produces should be one media type"),
        ({"handler": _none, "public": True, "scopes": ("a",)}, "a public route asks for no token"),
        ({"handler": _none, "statuses": (99,)}, "from 200 to 599"),
        ({"handler": _none, "deprecated": "soon"}, "write deprecated="),
        ({"handler": _none, "deprecated": "20270630"}, "write deprecated="),
        ({"handler": _none, "deprecated": "2027-02-30"}, "write deprecated="),
        ({"handler": _none, "deprecated": True}, "write deprecated="),
        ({"handler": _none, "deprecated": ""}, "until when"),
        ({"handler": _none, "deprecated_since": "2027-01-01"}, "until when"),
        ({"handler": _none, "deprecated": "2027-01-01", "deprecated_since": "2027-01-02"}, "is after"),
    ],
)
def test_a_route_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        contract_of(Route("POST", "/", **options))


# The OpenAPI document


def test_the_document_says_all_of_it() -> None:
    document = openapi_document(ROUTES, project(), errors=ERRORS)
    OpenAPIV31SpecValidator(document).validate()
    paths = document["paths"]
    webhook = paths["/webhook"]["post"]
    assert webhook["security"] == []
    assert webhook["requestBody"] == {"required": True, "content": {"application/json": {}}}
    assert webhook["parameters"] == [
        {"name": "X-Signature", "in": "header", "required": True, "schema": {"type": "string"}}
    ]
    assert webhook["responses"].keys() == {"204", "400", "403", "408", "413", "415", "417", "422", "431", "500", "503"}
    assert paths["/length"]["post"]["requestBody"]["content"].keys() == {"application/json", "image/*"}
    assert paths["/length"]["patch"]["requestBody"]["required"] is False
    assert [(each["name"], each["required"], each["schema"]) for each in paths["/headers"]["get"]["parameters"]] == [
        ("X-Level", True, {"type": "integer", "minimum": 1, "maximum": 5}),
        ("X-Mode", False, {"type": "string", "enum": ["fast", "safe"], "default": "safe"}),
        ("X-Trace-Name", False, {"type": "string"}),
        ("If-None", False, {"type": "string", "default": ""}),
    ]
    assert paths["/raw"]["post"]["responses"].keys() >= {"413", "415"}
    assert paths["/cookies/{name}"]["get"]["responses"].keys() >= {"200", "2XX"}
    created = paths["/create"]["post"]["responses"]
    assert created["201"] == created["202"]
    assert paths["/table"]["get"]["responses"]["200"]["content"] == {"text/csv": {"schema": {"type": "string"}}}
    assert paths["/picture"]["get"]["responses"]["200"]["content"] == {"image/png": {}}
    assert paths["/geo"]["get"]["responses"]["200"]["content"].keys() == {"application/geo+json"}
    failing = paths["/fail/{name}"]["delete"]["responses"]
    assert failing["409"] == {"$ref": "#/components/responses/out-of-stock"}
    assert failing["410"] == {"$ref": "#/components/responses/too-late"}
    assert paths["/fail-in-aiohttp/{status}"]["delete"]["responses"]["410"] == {"$ref": "#/components/responses/gone"}
    examples = document["components"]["examples"]
    assert examples["out-of-stock"]["summary"] == "The article is out of stock."
    assert examples["too-late"]["value"]["detail"] == "The time for it has passed."
    assert examples["gone"]["value"]["status"] == 410
    assert paths["/old/{name}"]["get"]["deprecated"] is True
    assert paths["/old/{name}"]["get"]["responses"]["200"]["headers"].keys() >= {"Deprecation", "Sunset"}
    assert "deprecated" not in paths["/table"]["get"]


def test_the_document_is_the_same_whatever_was_asked_for_before() -> None:
    before = openapi_document([], project())
    openapi_document(ROUTES, project(), errors=ERRORS)
    assert openapi_document([], project()) == before
    assert "out-of-stock" not in before["components"]["examples"]
