"""The scenarios of the guide on retries, with a service that fails in each way."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chassis.testing import Client, MakeClient

CUT, HANG = 0, 1  # in the place of a status
SHORT: dict[str, Any] = {
    "request_timeout_seconds": 0.8,
    "body_timeout_seconds": 0.5,
    "database_connect_timeout_seconds": 0.1,
    "database_acquire_timeout_seconds": 0.1,
    "database_command_timeout_seconds": 0.3,
    "database_statement_timeout_seconds": 0.2,
    "database_lock_timeout_seconds": 0.1,
}


class Prices:
    """A service that answers as the test has said, call for call; 200 after that."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.calls = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.calls += 1
        status = self.answers.pop(0) if self.answers else 200
        if status == CUT:
            assert request.transport
            request.transport.abort()
        if status == HANG:
            await asyncio.Event().wait()
        return web.json_response({"price_cents": 5}, status=max(status, 200))


@pytest.fixture
async def prices() -> AsyncIterator[tuple[Prices, str]]:
    made, application = Prices(), web.Application()
    application.router.add_get("/prices/7", made.answer)
    async with TestServer(application, handler_cancellation=True) as server:
        yield made, str(server.make_url("")).rstrip("/")


@pytest.fixture
async def client(make_client: MakeClient, prices: tuple[Prices, str]) -> Client:
    return await make_client(prices_url=prices[1])


@pytest.mark.parametrize("answers", [[], [503], [CUT, 500], [429, CUT]])
async def test_a_price_arrives_after_up_to_two_failures(
    client: Client, prices: tuple[Prices, str], answers: list[int]
) -> None:
    other, _ = prices
    other.answers = answers.copy()
    response = await client.get("/v1/items/7/price")
    assert (response.status, other.calls) == (200, len(answers) + 1)


@pytest.mark.parametrize(
    ("answers", "calls"), [([503] * 9, 3), ([404], 1), ([401], 1), ([CUT] * 9, 6)]
)  # aiohttp repeats once
async def test_a_price_that_does_not_come_is_a_503(
    client: Client, prices: tuple[Prices, str], answers: list[int], calls: int
) -> None:
    other, _ = prices
    other.answers = answers
    response = await client.get("/v1/items/7/price")
    assert (response.status, other.calls) == (503, calls)
    assert (await response.json())["type"] == "urn:problem-type:dependency-unavailable"


async def test_a_call_that_hangs_is_given_up_and_repeated(client: Client, prices: tuple[Prices, str]) -> None:
    other, _ = prices
    other.answers = [HANG]
    assert (await client.get("/v1/items/7/price")).status == 200
    assert other.calls == 2


async def test_the_deadline_ends_the_attempts(make_client: MakeClient, prices: tuple[Prices, str]) -> None:
    other, url = prices
    other.answers = [HANG] * 9
    client = await make_client(prices_url=url, **SHORT)
    response = await client.get("/v1/items/7/price")
    assert (response.status, (await response.json())["type"]) == (503, "urn:problem-type:deadline-exceeded")
    assert other.calls <= 1
