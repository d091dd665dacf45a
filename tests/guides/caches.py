"""The scenarios of the guide on caches: a real Redis that answers, hangs, and is away."""

import signal
import time
from typing import Any

import asyncpg
import pytest
from redis.asyncio import Redis

from chassis.testing import Client, MakeClient
from tests.app.redis_server import redis_server

PATH = "/v1/statistics"


@pytest.fixture
async def connection(database_url: str) -> Any:
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


async def insert(connection: Any, price: int) -> None:
    await connection.execute("INSERT INTO items (name, description, price_cents) VALUES ('a', '', $1)", price)


async def read(client: Client, tag: str = "") -> tuple[int, Any, str]:
    response = await client.get(PATH, headers={"If-None-Match": tag} if tag else {})
    assert response.headers["Cache-Control"] == "private, max-age=60"
    content = await response.read()
    return response.status, content and (await response.json())["price_cents"], response.headers["ETag"]


async def test_a_response_is_kept_for_a_minute(make_client: MakeClient, connection: Any) -> None:
    async with redis_server() as (_, url), Redis.from_url(url) as redis:
        client = await make_client({Redis: redis})
        assert (await read(client))[:2] == (200, 0)
        await insert(connection, 5)
        status, price, tag = await read(client)
        assert (status, price) == (200, 0)
        assert await read(client, tag) == (304, b"", tag)
        [key] = await redis.keys()
        assert 0 < await redis.ttl(key) <= 60
        await redis.delete(key)  # as at the end of the minute
        status, price, new = await read(client, tag)
        assert (status, price) == (200, 5)
        assert new != tag


async def test_the_service_starts_and_answers_without_redis(make_client: MakeClient, connection: Any) -> None:
    client = await make_client(redis_url="redis://127.0.0.1:1")
    for price in (5, 7):
        await insert(connection, price)
        assert (await read(client))[:2] == (200, price if price == 5 else 12)
    _, _, tag = await read(client)
    assert await read(client, tag) == (304, b"", tag)


async def test_redis_may_hang_and_die(make_client: MakeClient, connection: Any) -> None:
    async with redis_server() as (process, url):
        client = await make_client(redis_url=url)
        assert (await read(client))[:2] == (200, 0)
        await insert(connection, 5)
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert (await read(client))[:2] == (200, 5)
        assert time.monotonic() - began < 5
        process.send_signal(signal.SIGCONT)
        assert (await read(client))[:2] == (200, 0)
        process.kill()
        await process.wait()
        assert (await read(client))[:2] == (200, 5)
