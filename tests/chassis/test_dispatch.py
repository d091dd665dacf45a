"""Requests reach the same handler with the same parameters as with aiohttp's own router."""

from functools import wraps
from random import Random
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from chassis.http.dispatch import dispatched

# With weights, so that many routes overlap.
SEGMENTS = [*4 * ["a"], *4 * ["{x}"], *2 * ["{y}"], "b", "{x}.json", "{x:[^/]+}", "{x:.*}", "c d"]
ASKED = [*9 * ["a"], "b", "a.json", "c%20d", "7", "", ".", "a%2Fb", "ä"]
METHODS = ["GET", "GET", "POST", "HEAD"]
APPLICATIONS, REQUESTS = 80, 20
KEY = web.RequestKey("passed", list)


@web.middleware
async def note(request: web.Request, handler: Any) -> web.StreamResponse:
    request[KEY] = [*request.get(KEY, []), request.app, handler.__name__]
    response: web.StreamResponse = await handler(request)
    return response


async def answer(request: web.Request) -> web.Response:
    route = request.match_info.route
    parameters = sorted(request.match_info.items())
    return web.Response(text=f"{route.method} {route.resource} {parameters} {request[KEY]} {request.match_info.apps}")


def drawn(random: Random) -> web.Application:
    """Return an application with routes that may overlap."""
    application = web.Application(middlewares=[note])
    paths = {"/" + "/".join(random.choices(SEGMENTS, k=random.randint(1, 3))) for _ in range(8)}
    for path in random.sample(sorted(paths), len(paths)):
        parameters = path.count("{x")
        if parameters < 2 and path.count("{y}") < 2:
            application.router.add_route(random.choice([*METHODS, "*"]), path, answer)
    kind = random.randint(0, 4)
    if kind == 0:
        inner = web.Application(middlewares=[note])
        inner.router.add_get("/{x}", answer)
        application.add_subapp("/" + random.choice(["a", "b"]), inner)
    elif kind == 1:
        application.router.add_static("/a", ".")
    elif kind == 2:
        inner = web.Application()
        inner.router.add_get("/{x}", answer)
        application.add_domain("example.com", inner)
    application.freeze()
    return application


async def result(handler: Any, method: str, path: str, **headers: str) -> str:
    request = make_mocked_request(method, path, headers={"Host": "example.com", **headers})
    request._match_info = None  # that of a mock
    try:
        response = await handler(request)
        return str(response.text) if isinstance(response, web.Response) else type(response).__name__
    except web.HTTPException as error:
        return f"{error.status} {error.headers.get('Allow')}"


async def test_both_routers_choose_alike() -> None:
    random = Random(1)
    for _ in range(APPLICATIONS):
        application = drawn(random)
        handler, aiohttps = dispatched(application, application._handle), application._handle
        for _ in range(REQUESTS):
            path = "/" + "/".join(random.choices(ASKED, k=random.randint(1, 3))) + random.choice(["", "?x=1", "?"])
            method = random.choice(METHODS)
            routes = [*application.router.routes()]
            assert await result(handler, method, path) == await result(aiohttps, method, path), (method, path, routes)


async def test_most_requests_do_not_reach_aiohttps_router() -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        raise AssertionError(request.path)

    application = web.Application(middlewares=[note])
    application.router.add_get("/v1/items/{item_id}", answer)
    application.router.add_post("/v1/items", answer)
    application.router.add_get("/{tail:.*}", answer)  # the other routes are more specific
    application.freeze()
    handler = dispatched(application, refuse)
    for method, path in (("GET", "/v1/items/7"), ("GET", "/v1/items/7?a=b"), ("POST", "/v1/items")):
        assert (await result(handler, method, path)).startswith(f"{method} <")
    for path in ("/v1/items/a%20b", "/v1/items/7/more", "/v1/items", "/"):
        with pytest.raises(AssertionError):
            await result(handler, "GET", path)


@pytest.mark.parametrize(("owner", "name"), [(web.Application, "_handle"), (web.UrlDispatcher, "resolve")])
async def test_a_library_that_watches_requests_sees_each(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str
) -> None:
    own = getattr(owner, name)
    seen = list[web.Request]()

    @wraps(own)
    async def watch(self: object, request: web.Request) -> object:
        seen.append(request)
        return await own(self, request)

    monkeypatch.setattr(owner, name, watch)
    application = web.Application(middlewares=[note])
    application.router.add_get("/a", answer)
    application.freeze()
    assert "GET" in await result(dispatched(application, application._handle), "GET", "/a")
    assert len(seen) == 1


@pytest.mark.parametrize("method", ["GET", "*"])
async def test_the_longer_fixed_part_comes_first(method: str) -> None:
    application = web.Application(middlewares=[note])
    application.router.add_get("/{x}/a", answer)
    application.router.add_route(method, "/a/{y}", answer)
    application.freeze()
    found = await result(dispatched(application, application._handle), "GET", "/a/a")
    assert found == await result(application._handle, "GET", "/a/a")
    assert "('y', 'a')" in found


async def test_an_expectation_is_left_to_aiohttp() -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.Response(text="too large")

    application = web.Application(middlewares=[note])
    application.router.add_post("/a", answer, expect_handler=refuse)
    application.freeze()
    handler = dispatched(application, application._handle)
    assert await result(handler, "POST", "/a", Expect="100-continue") == "too large"
    assert (await result(handler, "POST", "/a")).startswith("POST <")


async def test_old_style_middlewares_are_left_to_aiohttp() -> None:
    async def factory(_: web.Application, handler: Any) -> Any:
        return handler

    application = web.Application(middlewares=[note, factory])  # type: ignore[list-item]
    application.router.add_get("/a", answer)
    with pytest.warns(DeprecationWarning, match="old-style middleware"):
        application.freeze()
    assert "GET" in await result(dispatched(application, application._handle), "GET", "/a")
