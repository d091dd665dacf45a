"""A POST that is repeated with its Idempotency-Key is not executed again."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import timedelta

import aiohttp
import pytest

from chassis.database import Connection
from chassis.http.idempotency import delete_expired
from chassis.postgres.pool import Pool
from chassis.testing.processes import PATIENCE_SECONDS, free_port
from tests.chassis.conftest import Running, Start
from tests.chassis.processes import example_process

KEYS = "SELECT count(*) FROM idempotency_keys"


async def write(service: Running, key: str, text: str = "a", milliseconds: int = 0) -> aiohttp.ClientResponse:
    response = await service.api.post(f"/write/{milliseconds}", json={"text": text}, headers={"Idempotency-Key": key})
    await response.read()
    return response


async def kind(response: aiohttp.ClientResponse) -> tuple[int, str]:
    problem = await response.json(content_type="application/problem+json")
    return response.status, problem["type"].removeprefix("urn:problem-type:")


async def test_the_same_request_has_the_same_answer_and_runs_once(service: Running, connection: Connection) -> None:
    first, again = await write(service, "one"), await write(service, "one")
    assert (first.status, await first.json(), first.headers["Location"]) == (201, {"text": "a", "tags": []}, "/notes/a")
    assert (again.status, await again.read(), again.headers["Location"]) == (201, await first.read(), "/notes/a")
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert await connection.fetchval("SELECT count(*) FROM notes") == 1
    assert (await write(service, "two")).status == 201
    assert await connection.fetchval("SELECT count(*) FROM notes") == 2


async def test_without_a_key_it_runs_each_time(service: Running, connection: Connection) -> None:
    for _ in range(2):
        assert (await service.api.post("/write/0", json={"text": "a"})).status == 201
    assert (await connection.fetchval("SELECT count(*) FROM notes"), await connection.fetchval(KEYS)) == (2, 0)


async def test_the_same_key_with_another_body_is_refused(service: Running, connection: Connection) -> None:
    await write(service, "one")
    assert await kind(await write(service, "one", text="b")) == (422, "idempotency-key-reused")
    # Bodies are compared after parsing, so whitespace makes no difference.
    headers = {"Idempotency-Key": "one", "Content-Type": "application/json"}
    assert (await service.api.post("/write/0", data=b' {"text" : "a"}', headers=headers)).status == 201
    assert await connection.fetchval("SELECT count(*) FROM notes") == 1


async def test_a_key_belongs_to_its_path(service: Running, connection: Connection) -> None:
    assert (await write(service, "one")).status == (await write(service, "one", text="b", milliseconds=1)).status == 201
    assert await connection.fetchval("SELECT count(*) FROM notes") == 2


async def test_a_request_that_is_still_running_is_a_conflict_at_once(service: Running, connection: Connection) -> None:
    slow = asyncio.create_task(write(service, "one", milliseconds=2000))
    locked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    async with asyncio.timeout(10):
        while not await connection.fetchval(locked):
            await asyncio.sleep(0.01)
    assert await kind(await write(service, "one", milliseconds=2000)) == (409, "request-in-progress")
    assert not slow.done()
    assert (await slow).status == 201
    assert (await write(service, "one", milliseconds=2000)).status == 201


async def test_what_failed_leaves_nothing_and_may_be_sent_again(service: Running, connection: Connection) -> None:
    for _ in range(2):
        assert (await write(service, "one", text="broken")).status == 500
    assert (await connection.fetchval("SELECT count(*) FROM notes"), await connection.fetchval(KEYS)) == (0, 0)


async def test_200_clients_with_one_key_at_once_make_one_row(start: Start, connection: Connection) -> None:
    service = await start(max_in_flight=1000)

    async def until_answered() -> Counter[int]:
        seen = Counter[int]()
        while seen.keys() <= {409, 503}:
            seen[(await write(service, "one", milliseconds=20)).status] += 1
        return seen

    seen = sum(await asyncio.gather(*(until_answered() for _ in range(200))), Counter[int]())
    assert seen[201] == 200
    assert seen.keys() <= {201, 409, 503}
    assert (await connection.fetchval("SELECT count(*) FROM notes"), await connection.fetchval(KEYS)) == (1, 1)


async def test_the_query_belongs_to_the_request(service: Running, connection: Connection) -> None:
    for query, status in (("word=a", 200), ("word=b", 422), ("word=a", 200)):
        response = await service.api.post(f"/search-and-write?{query}", headers={"Idempotency-Key": "one"})
        assert response.status == status
    assert await connection.fetchval("SELECT count(*) FROM notes") == 1


async def test_a_key_may_be_quoted(service: Running, connection: Connection) -> None:
    assert (await write(service, "one")).status == (await write(service, '"one"')).status == 201
    assert (await write(service, '"a b"')).status == 201
    assert await connection.fetchval("SELECT count(*) FROM notes") == 2


async def test_statements_run_as_they_do_without_a_key(service: Running, connection: Connection) -> None:
    """A refused statement does not affect later ones, and concurrent statements run one after the other."""
    for headers in ({}, {"Idempotency-Key": "one"}):
        assert (await service.api.post("/try-again", headers=headers)).status == 200


async def test_a_connection_that_is_lost_meanwhile_is_a_503(service: Running, connection: Connection) -> None:
    slow = asyncio.create_task(write(service, "one", milliseconds=5000))
    running = "FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    end = f"SELECT pg_terminate_backend(pid) {running}"
    async with asyncio.timeout(10):
        while not await connection.fetch(end):
            await asyncio.sleep(0.01)
    assert await kind(await slow) == (503, "database-unavailable")
    assert (await write(service, "one")).status == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é"])
async def test_what_is_no_key_is_named(service: Running, key: str) -> None:
    response = await write(service, key)
    assert (await response.json())["errors"][0]["parameter"] == "Idempotency-Key"
    assert response.status == 422


async def test_an_answer_is_kept_for_the_time_that_is_set_and_cleaned_afterwards(
    start: Start, connection: Connection
) -> None:
    service = await start(idempotency_keep_seconds=60)
    await write(service, "new")
    await write(service, "old")
    one = "(SELECT id FROM idempotency_keys ORDER BY created_at DESC LIMIT 1)"
    age = f"UPDATE idempotency_keys SET created_at = now() - interval '61 s' WHERE id = {one}"
    await connection.execute(age)
    for key in ("new", "old"):
        assert (await write(service, key)).status == 201
    assert await connection.fetchval("SELECT count(*) FROM notes") == 3

    await connection.execute(age)
    async with Pool(service.application.settings) as pool:
        cleaning = asyncio.create_task(delete_expired(pool, timedelta(seconds=60)))
        async with asyncio.timeout(10):
            while await connection.fetchval(KEYS) != 1:
                await asyncio.sleep(0.01)
        cleaning.cancel()


async def test_no_write_is_lost_or_doubled_when_the_service_is_killed(
    database_url: str, connection: Connection
) -> None:
    """Writers resend the same request with its key until it is acknowledged, by whichever process is running."""
    keys = [str(number) for number in range(20)]
    port = free_port()

    async def write_until_acknowledged(key: str) -> None:
        async with aiohttp.ClientSession() as client, asyncio.timeout(PATIENCE_SECONDS):
            while True:
                headers = {"Idempotency-Key": key}
                with suppress(aiohttp.ClientConnectionError):
                    url = f"http://127.0.0.1:{port}/write/100"
                    async with client.post(url, json={"text": key}, headers=headers) as answer:
                        if answer.status == 201:
                            return
                        assert answer.status in {409, 503}, await answer.text()
                await asyncio.sleep(0.02)

    writers = [asyncio.create_task(write_until_acknowledged(key)) for key in keys]
    for _ in range(2):
        async with example_process(database_url) as service:  # killed at the end of the block
            port = service.port
            await service.until_logged("request")  # some writes are acknowledged, others in progress
    async with example_process(database_url) as service:
        port = service.port
        await asyncio.gather(*writers)
    rows = await connection.fetch("SELECT text, count(*) FROM notes GROUP BY text")
    assert {row["text"]: row["count"] for row in rows} == dict.fromkeys(keys, 1)
