"""Tests of prices: their import, and their cache, which may be away."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.prices.cache import PriceCache
from app.prices.commands import PricesError, import_prices
from chassis.testing import Client, MakeClient


async def price_of(client: Client, sku: str = "LAMP") -> Any:
    async with client.get(f"/v1/prices/{sku}") as response:
        return (await response.json())["price"] if response.status == 200 else response.status


async def bring(client: Client, folder: Path, lines: str, *options: str) -> None:
    (folder / "prices.csv").write_text(lines, "utf-8-sig")  # with a byte order mark, as spreadsheets write it
    assert await client.run_command(import_prices, str(folder / "prices.csv"), *options) == 0


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    if not (url := os.environ.get("REDIS_URL")):
        pytest.skip("needs the address of a Redis in REDIS_URL, whose data it deletes")
    async with Redis.from_url(url) as client:
        await client.flushdb()
        yield client


async def test_prices_are_set_and_changed_without_the_cache(client: Client, tmp_path: Path) -> None:
    await bring(client, tmp_path, "LAMP,1\nLAMP,19.99\nDESK,250\n")
    await bring(client, tmp_path, "DESK,240.5\n")
    assert [await price_of(client, sku) for sku in ("LAMP", "DESK", "SOFA")] == ["19.99", "240.50", 404]


async def test_a_wrong_line_is_named_and_nothing_is_imported(client: Client, tmp_path: Path) -> None:
    with pytest.raises(PricesError, match=r"line 2, price: .*\nline 3: 3 values"):
        await bring(client, tmp_path, "LAMP,19.99\nDESK,-1\nSOFA,1,2\n")
    await bring(client, tmp_path, "LAMP,19.99\n", "--dry-run")
    assert await price_of(client) == 404


async def test_the_cache_spares_the_database(make_client: MakeClient, redis: Redis, tmp_path: Path) -> None:
    client = await make_client({PriceCache: PriceCache(redis)})
    await bring(client, tmp_path, "LAMP,1\n")
    assert await price_of(client) == "1.00"
    await bring(client, tmp_path, "LAMP,2\n")
    assert await price_of(client) == "1.00"
    assert 0 < await redis.ttl("price:LAMP") <= 60
    await redis.flushdb()
    assert await price_of(client) == "2.00"


async def test_a_redis_that_is_away_is_left_alone_for_a_while(make_client: MakeClient) -> None:
    connections = []

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        redis = Redis(port=server.sockets[0].getsockname()[1], retry=Retry(NoBackoff(), 0))
        client = await make_client({PriceCache: PriceCache(redis)})
        assert [await price_of(client) for _ in range(5)] == [404] * 5
    assert len(connections) == 1
