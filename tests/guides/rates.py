"""The scenarios of the guide on rates: a real Redis, several processes' clients, and no Redis."""

import asyncio

import pytest
from redis.asyncio import Redis

from chassis.testing import Client, Issuer, MakeClient
from tests.app.redis_server import redis_server


async def statuses(clients: list[Client], count: int, headers: dict[str, str], path: str = "/v1/report") -> list[int]:
    calls = [clients[number % len(clients)].get(path, headers=headers) for number in range(count)]
    return sorted([response.status for response in await asyncio.gather(*calls)])


async def test_a_bucket_belongs_to_a_caller_and_all_processes(make_client: MakeClient, issuer: Issuer) -> None:
    alice, bob = (issuer.authorization(subject=name) for name in ("alice", "bob"))
    async with redis_server() as (_, url), Redis.from_url(url) as redis:
        clients = [await make_client({Redis: redis}, **issuer.settings) for _ in range(2)]
        assert await statuses(clients, 20, alice) == [200] * 3 + [429] * 17
        assert await statuses(clients, 2, bob) == [200] * 2
        refused = await clients[0].get("/v1/report", headers=alice)
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        problem = await refused.json()
        assert (problem["type"], problem["status"]) == ("urn:problem-type:too-many-requests", 429)
        assert f"in {refused.headers['Retry-After']} s" in problem["detail"]
        assert 120 < await redis.ttl("rate:report:alice") <= 180
        assert 60 < await redis.ttl("rate:report:bob") <= 120


@pytest.mark.parametrize(("seconds", "tokens"), [(60, 1), (130, 2), (1000, 3)])
async def test_a_bucket_fills_again(make_client: MakeClient, issuer: Issuer, seconds: int, tokens: int) -> None:
    headers = issuer.authorization(subject="alice")
    async with redis_server() as (_, url), Redis.from_url(url) as redis:
        client = await make_client({Redis: redis}, **issuer.settings)
        assert await statuses([client], 3, headers) == [200] * 3
        full = float(await redis.get("rate:report:alice") or 0)
        await redis.set("rate:report:alice", full - seconds)  # as if this time had passed
        assert await statuses([client], 10, headers) == [200] * tokens + [429] * (10 - tokens)


async def test_there_is_no_limit_without_redis(make_client: MakeClient) -> None:
    client = await make_client(redis_url="redis://127.0.0.1:1")
    assert await statuses([client], 10, {}) == [200] * 10
