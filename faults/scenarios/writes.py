"""Promise 4: after kills of the service or the database, every acknowledged write exists exactly once.

Half of the writers create items. The others create orders, whose handler calls another service before its first
statement, and between two.
"""

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self
from uuid import uuid4

from faults.bench import Bench, Scenario
from faults.commands import APP
from harness.http import NO_ANSWER, Client, request
from harness.items import ITEM
from harness.postgres import Postgres
from harness.row import Row
from harness.service import Service
from harness.waiting import PATIENCE_SECONDS

_ITEMS, _ORDERS = "/v1/items", "/v1/orders"
_WRITERS = 8
_LONGEST_CALL_SECONDS = 0.02
# A process that is killed during a call keeps the key of its request for somewhat longer than the deadline.
_SHORT: dict[str, float] = {
    "DATABASE_LOCK_TIMEOUT_SECONDS": 0.4,
    "DATABASE_STATEMENT_TIMEOUT_SECONDS": 0.6,
    "DATABASE_COMMAND_TIMEOUT_SECONDS": 0.8,
    "DATABASE_CONNECT_TIMEOUT_SECONDS": 0.5,
    "BODY_TIMEOUT_SECONDS": 1,
    "REQUEST_TIMEOUT_SECONDS": 2,
}
_AGAIN_SECONDS = 0.05
_MOST_WRITES_BETWEEN = 30
_TRY_AGAIN = {NO_ANSWER, 409, 503}  # 409: the service is still executing the request whose response was lost


class Writers:
    """Clients that create items with an Idempotency-Key, and retry each request until it is acknowledged.

    Args:
        port: of the service.
        paths: what each of them writes to.
    """

    def __init__(self, port: int, *paths: str) -> None:
        self._port, self._paths = port, paths
        self._acknowledged: dict[str, str] = {}  # the path of each write, by its key
        self._news = asyncio.Condition()
        self.requests = self.failures = 0
        self.unexpected: Counter[str] = Counter()

    @property
    def acknowledged(self) -> int:
        return len(self._acknowledged)

    async def __aenter__(self) -> Self:
        self._ending = False
        self._tasks = [asyncio.create_task(self._write(path)) for path in self._paths]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True  # each client first completes its last item
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*self._tasks)

    async def until_acknowledged(self, more: int) -> None:
        """Wait until this number of additional items is acknowledged.

        Raises:
            TimeoutError: they are not acknowledged in time.
        """
        until = self.acknowledged + more
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: self.acknowledged >= until)

    async def judge(self, row: Row, database: Postgres) -> None:
        """Compare the acknowledged items with the rows of the database."""
        async with database.connection() as connection:
            found = await connection.fetch("SELECT name, count(*) FROM items GROUP BY name")
        rows = {each["name"]: each["count"] for each in found}
        row.lost = sum(key not in rows for key in self._acknowledged)
        row.doubled = sum(count > 1 for name, count in rows.items() if name != ITEM["name"])
        written = Counter(self._acknowledged.values())
        told = ", ".join(f"{written[path]:,} to {path}" for path in sorted(set(self._paths)))
        row.measured = "; ".join(filter(None, [row.measured, f"{self.acknowledged:,} writes acknowledged: {told}"]))
        row.promise = "; ".join(filter(None, [row.promise, "no write lost, none doubled"]))
        row.hold(written.keys() == set(self._paths), "nothing was written by some of the writers")
        row.hold(row.lost == 0, f"{row.lost} writes lost")
        row.hold(row.doubled == 0, f"{row.doubled} writes doubled")
        row.hold(not self.unexpected, f"writes were answered with {dict(self.unexpected)}")

    async def _write(self, path: str) -> None:
        client = Client(self._port)
        while not self._ending:
            key = str(uuid4())
            question = request("POST", path, ITEM | {"name": key}, Idempotency_Key=key)
            while (status := (await client.send(question)).status) in _TRY_AGAIN:
                self.requests, self.failures = self.requests + 1, self.failures + 1
                await asyncio.sleep(_AGAIN_SECONDS)
            self.requests += 1
            if status == 201:
                self._acknowledged[key] = path
            else:
                self.unexpected[str(status)] += 1
            async with self._news:
                self._news.notify_all()
        client.close()


@asynccontextmanager
async def _payments() -> AsyncIterator[str]:
    """Run the service that orders call, and yield its address. It answers after a random time."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):  # the caller was killed
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(random.uniform(0, _LONGEST_CALL_SECONDS))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def kills(bench: Bench) -> Row:
    """Kills the service and, now and again, the database, each in the middle of writes."""
    of_service, of_database = bench.count(200, 8), bench.count(50, 4)
    database = await bench.postgres()
    async with _payments() as payments:
        service = await bench.running_service(database.url, APP, PAYMENTS_URL=payments, **_SHORT)
        order = [service] * of_service + [database] * of_database
        random.shuffle(order)
        writers = Writers(service.port, *[_ITEMS, _ORDERS] * (_WRITERS // 2))
        await _kill(bench, order, writers)
    row = Row(
        f"kill -9: {of_service} of the service, {of_database} of the database",
        f"{_WRITERS} writers that send a write again, with its Idempotency-Key, until it is acknowledged; half of the "
        "writes call another service before and between their statements",
        requests=writers.requests,
        failures=writers.failures,
    )
    await writers.judge(row, database)
    return row


async def _kill(bench: Bench, order: list[Service | Postgres], writers: Writers) -> None:
    async with writers:
        for number, victim in enumerate(order):
            bench.status = f"{number} of {len(order)} kills, {writers.acknowledged} writes acknowledged"
            await writers.until_acknowledged(random.randint(1, _MOST_WRITES_BETWEEN))
            await victim.kill()
            await victim.start()
        await writers.until_acknowledged(1)


async def rolling(bench: Bench) -> Row:
    """Sends each write to a pod of the earlier release and to a new one: one after the other, or to both at once."""
    writes = bench.count(1000, 60)
    database = await bench.postgres()
    row = Row(
        "a rolling update: a pod of release 0.2 beside a new one",
        f"{writes:,} writes with an Idempotency-Key, each to both pods, at once or one after the other",
        requests=0,
        failures=0,
        promise="both pods give the same response",
    )
    async with _payments() as payments:
        settings = {"DATABASE_URL": database.url, "PAYMENTS_URL": payments}
        earlier = Service(
            Path(os.environ["EARLIER_SERVICE"]), bench.logs, (os.environ["EARLIER_PYTHON"], "-m", "app"), settings
        )
        bench.started.push_async_callback(earlier.end)
        await earlier.start()
        await earlier.until_ready()
        pods = [earlier, await bench.running_service(database.url, APP, PAYMENTS_URL=payments)]
        numbers = iter(range(writes))
        found = [_BothPods(row) for _ in range(_WRITERS)]
        await asyncio.gather(*(each.write([pod.port for pod in pods], numbers) for each in found))
    async with database.connection() as connection:
        rows = dict(await connection.fetch("SELECT name, count(*) FROM items GROUP BY name"))
    row.lost, row.doubled = writes - len(rows), sum(count > 1 for count in rows.values())
    answered = sum((each.answered for each in found), Counter[str]())
    row.measured = ", ".join(f"{count:,} {how}" for how, count in sorted(answered.items()))
    row.hold(row.lost == 0, f"{row.lost} writes lost")
    row.hold(row.doubled == 0, f"{row.doubled} writes doubled")
    return row


class _BothPods:
    """A client that sends each write to both pods, until both have acknowledged it."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.answered = Counter[str]()

    async def write(self, ports: list[int], numbers: Iterator[int]) -> None:
        clients = [Client(port) for port in ports]
        for number in numbers:
            key, path, at_once = str(uuid4()), random.choice([_ITEMS, _ORDERS]), bool(number % 2)
            question = request("POST", path, ITEM | {"name": key}, Idempotency_Key=key)
            random.shuffle(clients)
            if at_once:
                answers = await asyncio.gather(*(self._until_acknowledged(client, question) for client in clients))
            else:
                answers = [await self._until_acknowledged(client, question) for client in clients]
            self._row.hold(answers[0] == answers[1], f"{path}: the pods answered {answers}")
            self.answered[f"{'at once' if at_once else 'one after the other'} to {path}"] += 1
        for client in clients:
            client.close()

    async def _until_acknowledged(self, client: Client, question: bytes) -> tuple[int, bytes]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (answer := await client.send(question)).status in _TRY_AGAIN:
                self._row.failures = (self._row.failures or 0) + 1
                await asyncio.sleep(_AGAIN_SECONDS)
        self._row.requests = (self._row.requests or 0) + 1
        return answer.status, answer.body


SCENARIOS: dict[str, Scenario] = {"writes.kills": kills, "writes.rolling": rolling}
