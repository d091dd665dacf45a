"""The load generator, against real servers: counts, latencies from when a request was due, failures, its own delay."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from harness import load_generator
from harness.http import request
from harness.load_generator import NEW_KEY, Generator, Outcome, send
from harness.usage import children

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="a C compiler compiles the load generator")

GET = request("GET", "/items/1")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


async def say_ok(_: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


def saying(answer: bytes, *, closing: bool = False) -> Answer:
    async def say(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        if closing:
            writer.close()

    return say


@asynccontextmanager
async def server(answer: Answer = say_ok) -> AsyncIterator[int]:
    """Run a server that answers each request, a head and perhaps a body of Content-Length, and yield its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                asked = await reader.readuntil(b"\r\n\r\n")
                _, found, length = asked.partition(b"Content-Length: ")
                asked += await reader.readexactly(int(length.split(b"\r\n")[0])) if found else b""
                await answer(asked, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    served = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield served.sockets[0].getsockname()[1]
    served.close()


def ask(
    answer: Answer = say_ok, *requests: bytes, connections: int = 4, rate: float = 0, seconds: float = 0.3
) -> Outcome:
    """Load a server that answers so."""

    async def run() -> Outcome:
        async with server(answer) as port:
            return await send(requests or [GET], [port], connections=connections, rate=rate, seconds=seconds)

    return asyncio.run(run())


def test_a_closed_loop_has_as_many_requests_in_flight_as_connections() -> None:
    flying, most, count = 0, 0, 0

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal flying, most, count
        flying += 1
        most = max(most, flying)
        count += 1
        await asyncio.sleep(0.01)
        flying -= 1
        writer.write(OK)

    outcome = ask(answer, connections=4)
    assert most == 4
    assert outcome.requests == outcome.histogram.total() == count
    assert min(outcome.histogram) >= 10_000
    assert outcome.seconds >= 0.3
    assert 0 < outcome.cpu_seconds < 0.3
    assert not outcome.lateness


def test_the_warm_up_is_not_counted_and_nothing_runs_while_the_caller_is_told() -> None:
    events: list[str] = []

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.005)
        events.append("answer")
        writer.write(OK)

    async def run() -> Outcome:
        async with server(answer) as port:
            generator = await Generator.start([GET], [port], connections=3, seconds=0.1, warm_up=0.1)
            events.append("ready")
            await generator.turn()
            return await generator.end()

    outcome = asyncio.run(run())
    before = events.index("ready")
    assert before >= 3
    assert outcome.requests == len(events) - before - 1


def test_a_generator_loads_in_its_turns_only_and_tells_of_all_of_them() -> None:
    answered = 0

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        answered += 1
        await asyncio.sleep(0.002)
        writer.write(OK)

    async def run() -> None:
        async with server(answer) as port:
            one, other = [await Generator.start([GET], [port], connections=3, seconds=0.05) for _ in range(2)]
            for _ in range(3):
                before = answered
                await one.turn()
                assert answered > before
            assert (await other.end()).requests == 0
            outcome = await one.end()
            assert outcome.requests == answered
            assert 0.15 <= outcome.seconds < 1

    asyncio.run(run())


def test_an_open_loop_sends_at_its_rate() -> None:
    outcome = ask(rate=200, seconds=0.5)
    assert outcome.histogram.total() == 100
    assert outcome.seconds == pytest.approx(0.5)
    assert outcome.lateness.total() > 0


def test_in_an_open_loop_a_latency_counts_from_when_the_request_was_due() -> None:
    """A server that stalls for 300 ms delays the requests that were due meanwhile, each by what is left of it."""
    count = 0

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        if count == 10:
            await asyncio.sleep(0.3)
        writer.write(OK)

    outcome = ask(answer, connections=1, rate=100, seconds=0.6)
    slow = sorted(end for end in outcome.histogram.elements() if end > 100_000)
    assert outcome.histogram.total() == 60
    assert len(slow) >= 18  # those of the first 200 ms of the stall
    assert slow[-1] >= 300_000
    # They waited for the connection, which was busy: that is no delay of the generator.
    assert outcome.lateness.total() <= 60 - 18


def generator_of_this_process() -> int:
    [found] = [each for each in children(os.getpid()) if "load-gen" in Path(f"/proc/{each}/comm").read_text()]
    return found


def test_a_generator_that_is_late_tells_so() -> None:
    async def run() -> Outcome:
        async with server() as port:
            loading = asyncio.create_task(send([GET], [port], connections=8, rate=100, seconds=1))
            await asyncio.sleep(0.5)
            generator = generator_of_this_process()
            os.kill(generator, signal.SIGSTOP)
            await asyncio.sleep(0.3)
            os.kill(generator, signal.SIGCONT)
            return await loading

    outcome = asyncio.run(run())
    assert max(outcome.lateness) >= 200_000
    assert outcome.histogram.total() == 100


def test_an_answer_may_come_in_pieces_and_in_chunks() -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\nTransfer-Encod", b"ing: chunked\r\n\r\n4\r\nab", b"cd\r\n0\r\n", b"\r\n"):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.002)

    outcome = ask(answer)
    assert outcome.histogram
    assert not outcome.failures


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (saying(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"), "503"),
        (saying(b"HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx", closing=True), "404"),
        (saying(b"", closing=True), "connection closed"),
        (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", closing=True), "connection closed"),
        (saying(b"SMTP, sorry\r\n\r\n"), "malformed answer"),
    ],
)
def test_what_is_no_complete_answer_of_success_is_a_failure(answer: Answer, failure: str) -> None:
    outcome = ask(answer, rate=100, seconds=0.1)
    assert outcome.failures == {failure: 10}
    assert not outcome.histogram


def test_a_connection_that_the_server_closes_after_an_answer_is_no_failure() -> None:
    outcome = ask(saying(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), closing=True), rate=100)
    assert (outcome.histogram.total(), outcome.failures) == (30, {})


def test_a_server_that_is_not_there_refuses_every_request() -> None:
    async def run() -> Outcome:
        async with server() as port:
            pass
        return await send([GET], [port], connections=2, rate=100, seconds=0.1)

    assert asyncio.run(run()).failures == {"connection refused": 10}


def test_requests_take_turns_and_each_marked_one_has_another_number() -> None:
    asked: list[bytes] = []

    async def answer(question: bytes, writer: asyncio.StreamWriter) -> None:
        asked.append(question)
        writer.write(OK)

    post = request("POST", "/items", {"name": "Lamp"}, Idempotency_Key=NEW_KEY)
    ask(answer, GET, post, rate=200, seconds=0.1)
    posts = [each for each in asked if each.startswith(b"POST")]
    assert len(posts) == 10
    assert asked.count(GET) == 10
    keys = {each.partition(b"Idempotency-Key: ")[2].partition(b"\r\n")[0] for each in posts}
    assert len(keys) == 10
    assert all(len(key) == 16 and b"#" not in key for key in keys)
    assert all(each.endswith(b'{"name": "Lamp"}') for each in posts)


def test_connections_are_divided_among_ports() -> None:
    async def run() -> tuple[Outcome, int, int]:
        counts = [0, 0]

        def counting(index: int) -> Answer:
            async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
                counts[index] += 1
                await asyncio.sleep(0.005)
                writer.write(OK)

            return answer

        async with server(counting(0)) as one, server(counting(1)) as other:
            outcome = await send([GET], [one, other], connections=4, seconds=0.2)
        return outcome, *counts  # type: ignore[return-value]

    outcome, one, other = asyncio.run(run())
    assert outcome.requests == one + other
    assert min(one, other) > 0.3 * outcome.requests


def test_without_a_compiler_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(load_generator, "TOOLS", tmp_path)
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="needs a C compiler"):
        load_generator.compiled()
