"""Calls to other services: they are bounded, carry the request id, and cause a clear response if they fail."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.resolver import AsyncResolver, DefaultResolver
from aiohttp.test_utils import BaseTestServer, TestServer
from structlog.testing import capture_logs

from tests.chassis.conftest import Running, Start


@pytest.fixture
async def other() -> AsyncIterator[BaseTestServer]:
    """Another service. Its routes return the request headers, fail, or never respond."""

    async def headers(request: web.Request) -> web.Response:
        return web.json_response(dict(request.headers), headers={"Set-Cookie": "session=hunter2"})

    async def fail(_: web.Request) -> web.Response:
        return web.Response(status=500)

    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    application = web.Application()
    application.add_routes([web.get("/headers", headers), web.get("/fail", fail), web.get("/hang", hang)])
    async with TestServer(application) as server:
        yield server


async def test_a_call_carries_the_id_of_its_request(service: Running, other: BaseTestServer) -> None:
    url = str(other.make_url("/headers"))
    response = await service.api.get("/call", params={"word": url}, headers={"X-Request-ID": "my-request"})
    answer = (await response.json())["answer"]
    assert answer["X-Request-ID"] == "my-request"
    assert {"gzip", "deflate"} <= {each.strip() for each in answer["Accept-Encoding"].split(",")}
    assert DefaultResolver is AsyncResolver


async def test_a_call_brings_no_cookie_of_another_request(service: Running, other: BaseTestServer) -> None:
    url = str(other.make_url("/headers")).replace("127.0.0.1", "localhost")
    for _ in range(2):
        response = await service.api.get("/call", params={"word": url})
        assert "Cookie" not in (await response.json())["answer"]


@pytest.mark.parametrize("path", ["/fail", "/hang", ""])
async def test_another_service_that_fails_is_a_503(start: Start, other: BaseTestServer, path: str) -> None:
    service = await start(client_timeout_seconds=0.2)
    url = str(other.make_url(path)) if path else "http://127.0.0.1:1/"
    with capture_logs() as logs:
        response = await service.api.get("/call", params={"word": f"{url}?key=hunter2"})
    [unavailable] = [line for line in logs if line["event"] == "unavailable"]
    assert ("127.0.0.1:" in unavailable["reason"]) == (path != "/hang"), unavailable  # the host, unless it only hangs
    assert "CancelledError" not in unavailable["reason"]
    assert "hunter2" not in repr(logs)
    problem = await response.json()
    assert (response.status, problem["type"]) == (503, "urn:problem-type:dependency-unavailable")
    assert "Retry-After" in response.headers
    assert "127.0.0.1" not in await response.text()
