"""A service's own resources: opened before it is ready, given by type, watched, closed after the drain."""

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientSession, web
from structlog.testing import capture_logs

from chassis.application import create_application
from chassis.contract import Route
from chassis.database import Database
from chassis.resources.injection import Injector
from chassis.resources.lifetime import Lifetime
from chassis.service import Resource, Service, key_of
from chassis.settings import Settings
from chassis.telemetry.metrics import registry
from chassis.testing import clients_of, service_process


class Cache:
    """A resource that says what happens to it."""

    def __init__(self, name: str = "cache") -> None:
        self.name, self.works = name, True


class Index(Cache):
    """Another one."""


EVENTS: list[str] = []


async def cache(settings: Settings, database: Database) -> AsyncIterator[Cache]:
    assert settings.database_pool_size
    await database.fetch("SELECT 1")
    EVENTS.append("cache opened")
    yield Cache()
    EVENTS.append("cache closed")


async def index(cache: Cache, client: ClientSession) -> AsyncIterator[Index]:
    EVENTS.append(f"index opened after the {cache.name}")
    try:
        async with asyncio.timeout(60):  # belongs to a task: it fails if another task closes the resource
            yield Index("index")
    finally:
        EVENTS.append("index closed")


async def names(cache: Cache, index: Index) -> list[str]:
    return [cache.name, index.name]


async def in_app(request: web.Request) -> web.Response:
    found = request.app[key_of(Cache)].value, request.config_dict[key_of(Index)].value
    return web.json_response([each.name for each in found])


def add_plain_route(api: web.Application) -> None:
    api.router.add_get("/plain", in_app)


ROUTES = [Route("GET", "/names", names)]
SERVICE = Service(settings=Settings, routes=ROUTES, resources=[cache, index], configure=add_plain_route)


async def test_they_are_opened_in_order_given_by_type_and_closed_in_reverse(settings: Settings) -> None:
    EVENTS.clear()
    async with clients_of(SERVICE, settings) as make:
        client = await make()
        assert EVENTS == ["cache opened", "index opened after the cache"]
        assert await (await client.get("/names")).json() == ["cache", "index"]
        assert await (await client.get("/plain")).json() == ["cache", "index"]
    assert EVENTS[2:] == ["index closed", "cache closed"]


async def test_one_that_fails_keeps_the_service_alive_and_unready_until_it_works(settings: Settings) -> None:
    attempts = 0

    async def late() -> AsyncIterator[Cache]:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise ConnectionError("nobody listens")
        yield Cache()

    async def read(cache: Cache) -> str:
        return cache.name

    service = Service(settings=Settings, routes=[Route("GET", "/cache", read)], resources=[late])
    with capture_logs() as logs:
        async with clients_of(service, settings) as make:
            client = await make(ready=False)
            early = await client.get("/cache")
            assert (early.status, (await early.json())["type"]) == (503, "urn:problem-type:dependency-unavailable")
            await asyncio.wait_for(client.application.health.until_started(), 10)
            assert await (await client.get("/cache")).json() == "cache"
    told = [line["waiting_for"] for line in logs if line["event"] == "not_ready"]
    assert told == ["the resource late: ConnectionError: nobody listens"], "one line for one reason"
    assert attempts == 3


async def test_an_opening_that_hangs_ends_and_is_tried_again(settings: Settings) -> None:
    attempts, cleaned = 0, asyncio.Event()

    async def hangs_once() -> AsyncIterator[Cache]:
        nonlocal attempts
        attempts += 1
        try:
            if attempts == 1:
                await asyncio.Event().wait()
            yield Cache()
        finally:
            cleaned.set()

    service = Service(settings=Settings, routes=[], resources=[hangs_once])
    async with clients_of(service, settings) as make:
        await make(resource_timeout_seconds=0.1)
        assert (attempts, cleaned.is_set()) == (2, True)


@pytest.mark.parametrize("ignores_cancellation", [False, True])
async def test_a_close_that_hangs_does_not_hold_the_end_up(settings: Settings, ignores_cancellation: bool) -> None:
    never = asyncio.Event()

    async def hangs() -> AsyncIterator[Cache]:
        yield Cache()
        while True:
            with suppress(asyncio.CancelledError if ignores_cancellation else ZeroDivisionError):
                await never.wait()
                return

    service = Service(settings=Settings, routes=[], resources=[cache, hangs_as_index(hangs)])
    EVENTS.clear()
    with capture_logs() as logs:
        async with asyncio.timeout(10), clients_of(service, settings) as make:
            await make(resource_timeout_seconds=0.1)
    assert [line["resource"] for line in logs if line["event"] == "resource_not_closed"] == ["other"]
    assert EVENTS[-1] == "cache closed", "the others close, too"
    never.set()


def hangs_as_index(hangs: Any) -> Any:
    async def other() -> AsyncIterator[Index]:
        async for _ in hangs():
            yield Index()

    return other


async def test_its_health_is_a_metric_and_holds_readiness_back_if_it_is_needed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.resources.opening._CHECK_SECONDS", 0.01)
    made = Cache()

    async def open_cache() -> AsyncIterator[Cache]:
        yield made

    async def healthy(cache: Cache) -> bool:
        if cache.name == "broken":
            raise ConnectionError("gone")
        return cache.works

    service = Service(settings=Settings, routes=[], resources=[Resource(open=open_cache, healthy=healthy, needed=True)])

    def measured() -> float | None:
        return registry().get_sample_value("service_resource_healthy", {"resource": "open_cache"})

    async def until(expected: float) -> None:
        async with asyncio.timeout(10):
            while (measured(), registry().get_sample_value("service_ready")) != (expected, expected):
                await asyncio.sleep(0)

    with capture_logs() as logs:
        async with clients_of(service, settings) as make:
            client = await make()
            health = client.application.health
            await until(1)
            made.works = False
            await until(0)
            assert health.waiting_for == "open_cache"
            made.works = True
            await until(1)
            made.name = "broken"
            await until(0)
    events = [(line["event"], line.get("reason")) for line in logs if line["event"].startswith("resource_")]
    assert events == [
        ("resource_not_healthy", "it says so"),
        ("resource_healthy", None),
        ("resource_not_healthy", "ConnectionError: gone"),
    ]


@pytest.mark.parametrize("answer", [None, "PONG", asyncio.CancelledError()])
async def test_a_check_that_does_not_say_yes_or_no_is_a_failed_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    monkeypatch.setattr("chassis.resources.opening._CHECK_SECONDS", 0.01)
    answers = [answer]

    async def open_cache() -> AsyncIterator[Cache]:
        yield Cache()

    async def healthy(cache: Cache) -> Any:
        given = answers.pop() if answers else True
        if isinstance(given, BaseException):
            raise given
        return given

    service = Service(settings=Settings, routes=[], resources=[Resource(open=open_cache, healthy=healthy)])
    with capture_logs() as logs:
        async with clients_of(service, settings) as make:
            await make()
            async with asyncio.timeout(10):
                while not any(line["event"] == "resource_healthy" for line in logs):
                    await asyncio.sleep(0)
    [failed] = [line for line in logs if line["event"] == "resource_not_healthy"]
    assert "cancelled" in failed["reason"] or f"returns {answer!r} and not True" in failed["reason"]


@pytest.mark.parametrize("how", ["awaits what is cancelled", "ignores its cancellation", "quotes a secret"])
async def test_whatever_an_opening_does_it_is_told_and_tried_again(settings: Settings, how: str) -> None:
    attempts, never = 0, asyncio.Event()

    async def odd() -> AsyncIterator[Cache]:
        nonlocal attempts
        attempts += 1
        if attempts > 1:
            yield Cache()
        elif how == "awaits what is cancelled":
            raise asyncio.CancelledError
        elif how == "quotes a secret":
            raise ValueError("not a port: 'hunter2'")
        while attempts == 1:
            with suppress(asyncio.CancelledError):
                await never.wait()

    service = Service(settings=Settings, routes=[], resources=[odd])
    with capture_logs() as logs:
        async with clients_of(service, settings) as make:
            await make(resource_timeout_seconds=0.1)
    [reason] = [line["waiting_for"] for line in logs if line["event"] == "not_ready"]
    assert "hunter2" not in reason
    words = {"awaits": "was cancelled", "ignores": "RESOURCE_TIMEOUT_SECONDS", "quotes": "ValueError"}
    assert words[how.partition(" ")[0]] in reason
    never.set()


async def test_a_process_ends_although_a_resource_ignores_its_cancellation(database_url: str) -> None:
    program = (
        "import asyncio, contextlib\nfrom collections.abc import AsyncIterator\n"
        "from chassis.command_line import main\nfrom chassis.service import Service\n"
        "from chassis.settings import Settings\n\nclass Stubborn: ...\n\n"
        "async def stubborn() -> AsyncIterator[Stubborn]:\n    yield Stubborn()\n    while True:\n"
        "        with contextlib.suppress(asyncio.CancelledError):\n            await asyncio.Event().wait()\n\n"
        "main(Service(settings=Settings, routes=[], resources=[stubborn]))\n"
    )
    environment = {"RESOURCE_TIMEOUT_SECONDS": "0.1"}
    async with service_process(database_url, [sys.executable, "-c", program], environment=environment) as service:
        service.process.terminate()
        assert await service.until_ended() == 0
        assert [line["resource"] for line in service.lines if line["event"] == "resource_not_closed"] == ["stubborn"]


async def no_annotation(cache) -> AsyncIterator[Index]:  # type: ignore[no-untyped-def]
    yield Index()


async def yields_what() -> Any:
    yield 1


async def asks_for_later(index: Index) -> AsyncIterator[Cache]:
    yield Cache()


async def another_cache() -> AsyncIterator[Cache]:
    yield Cache()


async def a_client() -> AsyncIterator[ClientSession]:
    yield ClientSession()


async def asks_for_text(text: str) -> AsyncIterator[Cache]:
    yield Cache()


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ([cache, no_annotation], r"no_annotation: annotate the parameter 'cache'"),
        ([yields_what], r"yields_what: annotate what it yields: -> AsyncIterator\[Redis\]"),
        ([cache, another_cache], r"test_resources\.cache and .*another_cache: .* several values of the type Cache"),
        ([a_client], r"a_client: .* several values of the type ClientSession"),
        ([asks_for_text], r"asks_for_text: nothing gives the parameter 'text', as there is no str\. There .*Database"),
        ([asks_for_later, index], r"asks_for_later: .*'index'.* is opened after it"),
    ],
)
def test_a_mistake_stops_the_start_and_is_named(settings: Settings, resources: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        create_application(Service(settings=Settings, routes=[], resources=resources), settings)


async def test_a_handler_that_asks_for_what_there_is_not_stops_the_start(settings: Settings) -> None:
    with pytest.raises(TypeError, match=r"names: nothing gives the parameter 'cache', as there is no Cache"):
        create_application(Service(settings=Settings, routes=ROUTES), settings)


async def test_a_test_replaces_a_resource(settings: Settings) -> None:
    async with clients_of(SERVICE, settings) as make:
        client = await make({Cache: Cache("fake")})
        assert await (await client.get("/names")).json() == ["fake", "index"]
        with pytest.raises(LookupError, match=r"no resource of .*str.*; there is: Cache, Index"):
            await make({str: "x"})


async def test_a_thousand_openings_and_closings_leave_nothing(settings: Settings) -> None:
    async def open_cache() -> AsyncIterator[Cache]:
        yield Cache()

    injector = Injector({Cache})
    lifetime = Lifetime(Resource(open=open_cache), injector, 1)

    async def repeat(times: int) -> None:
        for _ in range(times):
            await lifetime.open()
            await lifetime.close()

    await repeat(100)
    tasks = len(asyncio.all_tasks())
    gc.collect()
    tracemalloc.start()
    await repeat(1000)
    gc.collect()
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(asyncio.all_tasks()), injector.values) == (tasks, {})
    assert left < 100_000
