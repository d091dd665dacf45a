"""The scenarios of the guide on circuit breakers: how many calls reach the other service, and when."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from app.breaker import Breaker

from chassis.testing import Client, MakeClient


class Prices:
    """A service that answers with the status that the test sets, once the test lets it."""

    def __init__(self) -> None:
        self.status = 503
        self.calls = 0
        self.called, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    async def answer(self, _: web.Request) -> web.Response:
        self.calls += 1
        self.called.set()
        await self.may_answer.wait()
        return web.json_response({"price_cents": 5}, status=self.status)

    def hold(self) -> None:
        self.called.clear()
        self.may_answer.clear()


@pytest.fixture
async def prices() -> AsyncIterator[tuple[Prices, str]]:
    made, application = Prices(), web.Application()
    application.router.add_get("/prices/7", made.answer)
    async with TestServer(application) as server:
        yield made, str(server.make_url("")).rstrip("/")


@pytest.fixture
async def client(make_client: MakeClient, prices: tuple[Prices, str]) -> Client:
    return await make_client(prices_url=prices[1])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the breaker sees, in a list, so that a test can set them."""
    now = [100.0]
    monkeypatch.setattr("app.breaker.monotonic", lambda: now[0])
    return now


async def statuses(client: Client, count: int) -> list[int]:
    answers = await asyncio.gather(*(client.get("/v1/items/7/guarded-price") for _ in range(count)))
    return [answer.status for answer in answers]


async def open_circuit(client: Client, prices: Prices) -> None:
    for _ in range(5):
        assert await statuses(client, 1) == [503]
    assert prices.calls == 5


async def test_after_five_failures_calls_are_refused_at_once(
    client: Client, prices: tuple[Prices, str], clock: list[float]
) -> None:
    other, _ = prices
    await open_circuit(client, other)
    clock[0] += 9.9
    assert await statuses(client, 20) == [503] * 20
    assert other.calls == 5


async def test_one_call_tries_whether_the_service_is_back(
    client: Client, prices: tuple[Prices, str], clock: list[float]
) -> None:
    other, _ = prices
    await open_circuit(client, other)
    for status, calls, after in ((503, 6, [503] * 5), (200, 7, [200] * 5)):
        other.hold()
        other.status = status
        clock[0] += 10
        trial = asyncio.create_task(statuses(client, 1))
        await other.called.wait()
        assert await statuses(client, 20) == [503] * 20
        other.may_answer.set()
        assert await trial == [status]
        assert other.calls == calls
        assert await statuses(client, 5) == after


async def test_a_request_that_is_cancelled_tells_nothing(
    client: Client, prices: tuple[Prices, str], clock: list[float]
) -> None:
    other, _ = prices
    await open_circuit(client, other)
    breaker, entered = client.application.injector.values[Breaker], asyncio.Event()
    clock[0] += 10

    async def wait() -> None:
        with breaker.guard():
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await entered.wait()
    task.cancel()
    await asyncio.wait([task])
    assert await statuses(client, 5) == [503] * 5
    assert other.calls == 5


async def test_a_service_that_answers_has_not_failed(
    client: Client, prices: tuple[Prices, str], clock: list[float]
) -> None:
    other, _ = prices
    for status in (503, 503, 503, 503, 404, 503, 503, 503, 503, 200, 503, 503, 503, 503):
        other.status = status
        await statuses(client, 1)
    assert other.calls == 14
