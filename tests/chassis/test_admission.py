"""Limits: on requests in flight, on the time of a request, and on the wait for a database connection."""

import asyncio
import time

import asyncpg
import pytest
import uvloop
from pydantic import SecretStr

from chassis.concurrency.semaphore import FifoSemaphore
from chassis.errors import OverloadedError
from chassis.postgres.pool import Pool
from chassis.settings import Settings
from tests.chassis.conftest import Running, Start


async def problem(service: Running, path: str) -> tuple[int, str]:
    response = await service.api.get(path)
    kind = (await response.json(content_type="application/problem+json"))["type"].removeprefix("urn:problem-type:")
    assert (response.headers.get("Retry-After") is not None) == (response.status == 503)
    return response.status, kind


async def test_what_arrives_together_is_answered_in_turn(start: Start) -> None:
    service = await start(max_in_flight=2)
    responses = await asyncio.gather(*(service.api.get("/wait/5") for _ in range(10)))
    assert [response.status for response in responses] == [200] * 10


async def test_who_finds_no_place_in_time_is_refused_and_has_to_connect_anew(start: Start) -> None:
    service = await start(max_in_flight=2)
    responses = await asyncio.gather(*(service.api.get("/wait/2000") for _ in range(5)))
    assert sorted(response.status for response in responses) == [200, 200, 503, 503, 503]
    for response in responses:
        assert response.headers.get("Connection") == ("close" if response.status == 503 else None)
    refused = next(response for response in responses if response.status == 503)
    assert ((await refused.json())["type"], refused.headers["Retry-After"]) == ("urn:problem-type:overloaded", "1")
    assert (await service.api.get("/wait/0")).status == 200


async def test_the_internal_port_is_never_counted(start: Start) -> None:
    service = await start(max_in_flight=1)
    slow = asyncio.create_task(service.api.get("/wait/2000"))
    while (await service.api.get("/wait/0")).status != 503:
        await asyncio.sleep(0)
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await service.internal.get(path)).status == 200
    assert not slow.done()
    assert (await slow).status == 200


async def test_the_wait_for_a_connection_is_bounded(start: Start) -> None:
    service = await start(database_pool_size=1)
    slow = asyncio.create_task(service.api.get("/sleep/1500"))
    async with asyncio.timeout(10):
        while (await service.api.get("/transaction")).status == 200:  # until the slow request has the connection
            await asyncio.sleep(0)
    assert await problem(service, "/transaction") == (503, "overloaded")
    assert not slow.done()
    assert (await slow).status == 200
    assert (await service.api.get("/transaction")).status == 200


async def test_who_waits_too_long_for_a_connection_is_refused_and_the_others_are_in_time(start: Start) -> None:
    service = await start(max_in_flight=1000, database_pool_size=2, database_acquire_timeout_seconds=0.25)
    answers = {200: list[float](), 503: list[float]()}

    async def ask() -> None:
        begun = time.monotonic()
        response = await service.api.get("/sleep/50")
        answers[response.status].append(time.monotonic() - begun)
        if response.status == 503:
            assert (await response.json())["type"] == "urn:problem-type:overloaded"

    await asyncio.gather(*(ask() for _ in range(200)))
    assert len(answers[200]) >= 2 * 0.25 // 0.05  # what two connections complete in that time
    assert answers[503]
    assert max(answers[200] + answers[503]) < 0.25 + 0.05 + 2  # plus slack; answering all requests would take 5 s


async def test_a_deadline_ends_the_query_on_the_server_too(start: Start, database_url: str) -> None:
    service = await start(request_timeout_seconds=0.3)
    assert await problem(service, "/sleep/60000") == (503, "deadline-exceeded")
    connection = await asyncpg.connect(database_url)
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    async with asyncio.timeout(10):
        while await connection.fetchval(running):
            await asyncio.sleep(0.01)
    await connection.close()


async def test_each_request_has_a_deadline_of_its_own(start: Start) -> None:
    service = await start(request_timeout_seconds=0.5)
    status = {"late": 503, "in time": 200}

    async def ask(kind: str, after: float) -> float:
        await asyncio.sleep(after)
        begun = time.monotonic()
        response = await service.api.get("/wait/60000" if kind == "late" else "/wait/50")
        assert response.status == status[kind]
        return time.monotonic() - begun

    kinds = ["late", "in time", "late", "late", "in time", "late"]
    seconds = await asyncio.gather(*(ask(kind, 0.15 * turn) for turn, kind in enumerate(kinds)))
    for kind, taken in zip(kinds, seconds, strict=True):
        assert (0.5 if kind == "late" else 0.05) <= taken < 0.5 + 2


def test_a_process_that_stood_still_refuses_nobody_whose_connection_is_free_meanwhile(migrated_url: str) -> None:
    """Runs on uvloop, as in production: uvloop runs timers before it reads data that has arrived."""
    longest_wait = 0.15
    settings = Settings(
        database_url=SecretStr(migrated_url), database_pool_size=1, database_acquire_timeout_seconds=longest_wait
    )

    async def stand_still() -> None:
        async with asyncio.timeout(10), Pool(settings) as pool:
            sleep = "SELECT pg_sleep($1)"
            await pool.fetch(sleep, 0)  # so that it is prepared
            slow = asyncio.create_task(pool.fetch(sleep, 0.1))
            while pool.idle:
                await asyncio.sleep(0)
            waiting = asyncio.create_task(pool.fetch("SELECT 1"))
            while not pool.waiting:
                await asyncio.sleep(0)
            time.sleep(2 * longest_wait)  # noqa: ASYNC251  (blocks the event loop on purpose)
            await asyncio.gather(slow, waiting)

    uvloop.run(stand_still())


@pytest.mark.parametrize("begins", [-0.05, 0.005], ids=["before", "after"])
def test_a_pause_takes_no_time_from_those_that_wait(begins: float) -> None:
    """All that wait are served one after another. The pause begins just before or after the timer looks at them."""
    longest_wait, pause, use_seconds = 0.5, 1.0, 0.03
    semaphore = FifoSemaphore(1, longest_wait)

    async def use() -> None:
        await semaphore.acquire()
        await asyncio.sleep(use_seconds)
        semaphore.release()

    def stand_still() -> None:
        time.sleep(pause)
        semaphore.release()

    async def stand_still_while_others_wait() -> None:
        await semaphore.acquire()
        first = asyncio.create_task(semaphore.acquire())  # it starts the timer, and has the permit before and after
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(longest_wait + begins, stand_still)
        semaphore.release()
        await first
        await asyncio.sleep(longest_wait / 2)
        await asyncio.gather(*(use() for _ in range(4)))

    uvloop.run(stand_still_while_others_wait())


def test_each_is_refused_when_its_time_is_up_while_others_come_and_are_refused() -> None:
    """What one refusal is late, by the time for input or by a pause, is not added to the next one."""
    longest_wait, count, apart_seconds, slack = 0.15, 400, 0.005, 0.1
    semaphore = FifoSemaphore(1, longest_wait)
    waited, late = list[float](), [0.0]

    async def wait() -> None:
        begun = time.monotonic()
        with pytest.raises(OverloadedError):
            await semaphore.acquire()
        waited.append(time.monotonic() - begun)

    async def refuse_many() -> None:
        await semaphore.acquire()
        async with asyncio.TaskGroup() as callers:
            for _ in range(count):
                callers.create_task(wait())
                due = time.monotonic() + apart_seconds
                await asyncio.sleep(apart_seconds)
                late.append(time.monotonic() - due)

    uvloop.run(refuse_many())
    assert len(waited) == count
    assert max(waited) < longest_wait + slack + 3 * max(late)


async def test_a_permit_is_not_lost_with_a_caller_that_is_cancelled() -> None:
    semaphore = FifoSemaphore(1, wait_timeout_seconds=10)
    await semaphore.acquire()
    given, waiting, last = (asyncio.create_task(semaphore.acquire()) for _ in range(3))
    await asyncio.sleep(0)
    assert semaphore.waiting == 3
    semaphore.release()  # `given` has the permit now, and has not run since
    given.cancel()
    waiting.cancel()
    ended = await asyncio.gather(given, waiting, last, return_exceptions=True)
    assert [type(each) for each in ended] == [asyncio.CancelledError, asyncio.CancelledError, type(None)]
    assert semaphore.waiting == 0
    semaphore.release()
    await asyncio.wait_for(semaphore.acquire(), 1)


async def test_nobody_overtakes_a_caller_that_waits() -> None:
    semaphore, order = FifoSemaphore(1, wait_timeout_seconds=10), list[str]()

    async def acquire(name: str) -> None:
        await semaphore.acquire()
        order.append(name)
        semaphore.release()

    await semaphore.acquire()
    first = asyncio.create_task(acquire("first"))
    await asyncio.sleep(0)
    semaphore.release()
    await asyncio.gather(acquire("second"), first)
    assert order == ["first", "second"]


async def test_callers_that_have_waited_too_long_leave_the_queue() -> None:
    semaphore = FifoSemaphore(1, wait_timeout_seconds=0.05)
    await semaphore.acquire()
    refused = await asyncio.gather(*(semaphore.acquire() for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in refused] == [OverloadedError] * 3
    assert semaphore.waiting == 0
    semaphore.release()
    await semaphore.acquire()
