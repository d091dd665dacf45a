"""The scenarios of the guide on rates: a real Redis, several processes' clients, and no Redis."""

import asyncio

from redis.asyncio import Redis

from chassis.testing import Client, Issuer, MakeClient
from tests.app.redis_server import needs_redis, redis_server


async def statuses(clients: list[Client], count: int, headers: dict[str, str], path: str = "/v1/report") -> list[int]:
    calls = [clients[number % len(clients)].get(path, headers=headers) for number in range(count)]
    return sorted([response.status for response in await asyncio.gather(*calls)])


@needs_redis
async def test_a_bucket_belongs_to_a_caller_and_all_processes(make_client: MakeClient, issuer: Issuer) -> None:
    alice, bob = (issuer.authorization(subject=name) for name in ("alice", "bob"))
    async with redis_server() as (_, url), Redis.from_url(url) as redis:
        clients = [await make_client(redis_url=url, **issuer.settings) for _ in range(2)]
        assert await statuses(clients, 20, alice) == [200] * 3 + [429] * 17
        assert await statuses(clients, 2, bob) == [200] * 2
        refused = await clients[0].get("/v1/report", headers=alice)
        assert 1 <= int(refused.headers["Retry-After"]) <= 10
        problem = await refused.json()
        assert (problem["type"], problem["status"]) == ("urn:problem-type:too-many-requests", 429)
        assert f"in {refused.headers['Retry-After']} s" in problem["detail"]
        assert 20 < await redis.ttl("rate:report:alice") <= 30
        assert 10 < await redis.ttl("rate:report:bob") <= 20


@needs_redis
async def test_a_bucket_fills_again(make_client: MakeClient, issuer: Issuer) -> None:
    path, headers = "/v1/frequent-report", issuer.authorization()
    async with redis_server() as (_, url), Redis.from_url(url) as redis:
        client = await make_client(redis_url=url, **issuer.settings)
        assert await statuses([client], 10, headers, path) == [200] * 2 + [429] * 8
        async with asyncio.timeout(10):
            while (await client.get(path, headers=headers)).status != 200:
                pass
            while await redis.exists("rate:often:alice"):  # until it is full
                pass
        assert await statuses([client], 10, headers, path) == [200] * 2 + [429] * 8


async def test_there_is_no_limit_without_redis(make_client: MakeClient) -> None:
    client = await make_client(redis_url="redis://127.0.0.1:1")
    assert await statuses([client], 10, {}) == [200] * 10
