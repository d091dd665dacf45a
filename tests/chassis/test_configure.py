"""What aiohttp itself can do: middlewares, signals, sub-applications and static files."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler
from structlog.testing import capture_logs

from chassis.application import create_application
from chassis.contract import Route
from chassis.errors import NotFoundError
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry.metrics import registry
from chassis.testing import Issuer, clients_of

TENANT = web.RequestKey("tenant", str)


@web.middleware
async def tenant(request: web.Request, handler: Handler) -> web.StreamResponse:
    request[TENANT] = request.headers.get("X-Tenant", "")
    if request[TENANT] == "unknown":
        raise NotFoundError("There is no such tenant.")
    response = await handler(request)
    response.headers["X-Tenant"] = request[TENANT]
    return response


async def hello() -> str:
    return "hello"


async def plain(request: web.Request) -> web.Response:
    return web.Response(text=f"plain {request[TENANT]}")


async def fails(_: web.Request) -> web.Response:
    raise RuntimeError("a secret of the inside")


async def moved(_: web.Request) -> web.Response:
    raise web.HTTPFound("/hello")


async def teapot(_: web.Request) -> web.Response:
    raise web.HTTPForbidden(headers={"X-Reason": "lunch"})


STARTED: list[str] = []


async def context(_: web.Application) -> AsyncIterator[None]:
    STARTED.append("started")
    yield
    STARTED.append("ended")


async def add_header(_: web.Request, response: web.StreamResponse) -> None:
    response.headers["X-Signal"] = "sent"


def configure(api: web.Application, settings: Settings) -> None:
    inner = web.Application()
    inner.router.add_get("/plain", plain)
    inner.router.add_get("/fails", fails)
    api.add_subapp("/inner", inner)
    api.router.add_get("/moved", moved)
    api.router.add_get("/forbidden", teapot)
    api.router.add_static("/files", Path(__file__).parent)
    api.on_response_prepare.append(add_header)
    api.cleanup_ctx.append(context)
    STARTED.append(f"configured for {settings.max_in_flight}")


SERVICE = Service(settings=Settings, routes=[Route("GET", "/hello", hello)], middlewares=[tenant], configure=configure)


async def test_a_middleware_stands_between_the_limits_and_the_handlers(settings: Settings) -> None:
    async with clients_of(SERVICE, settings) as make:
        client = await make()
        answer = await client.get("/hello", headers={"X-Tenant": "books"})
        assert (await answer.json(), answer.headers["X-Tenant"]) == ("hello", "books")
        assert "X-Request-ID" in answer.headers
        refused = await client.get("/hello", headers={"X-Tenant": "unknown"})
        assert (refused.status, (await refused.json())["type"]) == (404, "urn:problem-type:not-found")


async def test_what_configure_adds_is_observed_limited_and_answered_like_the_rest(settings: Settings) -> None:
    STARTED.clear()
    with capture_logs() as logs:
        async with clients_of(SERVICE, settings) as make:
            client = await make(max_in_flight=7)
            assert STARTED == ["configured for 7", "started"]
            answer = await client.get("/inner/plain", headers={"X-Tenant": "books"})
            assert (await answer.text(), answer.headers["X-Signal"]) == ("plain books", "sent")
            assert "X-Request-ID" in answer.headers
            failed = await client.get("/inner/fails")
            text = await failed.text()
            assert (failed.status, failed.content_type, "secret" in text) == (500, "application/problem+json", False)
            file = await client.get("/files/test_configure.py")
            assert (file.status, "def configure" in await file.text()) == (200, True)
            missing = await client.get("/files/none")
            assert (missing.status, missing.content_type) == (404, "application/problem+json")
            assert (await client.get("/files/conftest.py", headers={"Range": "bytes=0-2"})).status == 206
            assert (await client.get("/files/conftest.py", headers={"If-None-Match": "*"})).status == 304
            assert (await client.get("/files/../conftest.py")).status == 404
            redirect = await client.get("/moved", allow_redirects=False)
            assert (redirect.status, redirect.headers["Location"]) == (302, "/hello")
            forbidden = await client.get("/forbidden")
            assert (forbidden.status, forbidden.content_type) == (403, "application/problem+json")
            assert forbidden.headers["X-Reason"] == "lunch"
    assert STARTED[-1] == "ended"
    requests = {(line["route"], line["status"]) for line in logs if line["event"] == "request"}
    expected = {("/inner/plain", 200), ("/inner/fails", 500), ("/moved", 302), ("/forbidden", 403)}
    assert requests == expected | {
        ("/files", 200),
        ("/files", 206),
        ("/files", 304),
        ("/files", 404),
        ("unmatched", 404),
    }
    counted = {"method": "GET", "route": "/inner/plain", "status": "2xx"}
    assert registry().get_sample_value("http_server_request_duration_seconds_count", counted)


async def test_what_configure_adds_obeys_the_limit_of_requests_in_flight(settings: Settings) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        entered.set()
        await go_on.wait()
        return web.Response()

    service = Service(settings=Settings, routes=[], configure=lambda api: api.router.add_get("/wait", wait))
    with pytest.raises(TypeError, match="annotate the parameter 'api'"):
        create_application(service, settings)

    def add(api: web.Application) -> None:
        api.router.add_get("/wait", wait)

    async with clients_of(Service(settings=Settings, routes=[], configure=add), settings) as make:
        client = await make(max_in_flight=1)
        first = asyncio.create_task(client.get("/wait"))
        await entered.wait()
        refused = await client.get("/wait")
        assert (refused.status, (await refused.json())["type"]) == (503, "urn:problem-type:overloaded")
        go_on.set()
        assert (await first).status == 200


async def test_what_asks_for_no_token_is_told_at_the_start(settings: Settings, issuer: Issuer) -> None:
    with capture_logs() as logs:
        async with clients_of(SERVICE, settings) as make:
            client = await make(**issuer.settings)
            assert (await client.get("/hello")).status == 401
            assert (await client.get("/inner/plain")).status == 200
    [line] = [line for line in logs if line["event"] == "routes_without_token"]
    assert line["routes"] == ["/files", "/forbidden", "/inner", "/moved"]


async def test_an_exception_of_aiohttp_that_is_returned_is_the_response(settings: Settings) -> None:
    async def returned(request: web.Request) -> web.Response:
        kind: type[web.HTTPException] = getattr(web, request.match_info["kind"])
        return kind("/hello") if issubclass(kind, web.HTTPFound) else kind(text="told")

    def configure(api: web.Application) -> None:
        api.router.add_get("/returned/{kind}", returned)

    async with clients_of(replace(SERVICE, configure=configure), settings) as make:
        client = await make(max_streams=1)
        for kind, status, text in (("HTTPFound", 302, "302: Found"), ("HTTPCreated", 201, "told")):
            for _ in range(3):
                with pytest.warns(DeprecationWarning, match="returning HTTPException"):
                    response = await client.get(f"/returned/{kind}", allow_redirects=False)
                assert (response.status, await response.text()) == (status, text)
