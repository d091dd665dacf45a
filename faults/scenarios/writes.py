"""Promise 4: after kills of the service or the database, every acknowledged write exists exactly once."""

import asyncio
import random
from collections import Counter
from typing import Self
from uuid import uuid4

from faults.bench import Bench, Scenario
from harness.http import NO_ANSWER, Client, request
from harness.items import ITEM
from harness.postgres import Postgres
from harness.row import Row
from harness.waiting import PATIENCE_SECONDS

_WRITERS = 8
_AGAIN_SECONDS = 0.05
_MOST_WRITES_BETWEEN = 30
_TRY_AGAIN = {NO_ANSWER, 409, 503}  # 409: the service is still executing the request whose response was lost


class Writers:
    """Clients that create items with an Idempotency-Key, and retry each request until it is acknowledged."""

    def __init__(self, port: int, count: int) -> None:
        self._port, self._count = port, count
        self._acknowledged: list[str] = []
        self._news = asyncio.Condition()
        self.requests = self.failures = 0
        self.unexpected: Counter[str] = Counter()

    @property
    def acknowledged(self) -> int:
        return len(self._acknowledged)

    async def __aenter__(self) -> Self:
        self._ending = False
        self._tasks = [asyncio.create_task(self._write()) for _ in range(self._count)]
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
        row.measured = "; ".join(filter(None, [row.measured, f"{self.acknowledged:,} writes acknowledged"]))
        row.promise = "; ".join(filter(None, [row.promise, "no write lost, none doubled"]))
        row.hold(self.acknowledged > 0, "nothing was written")
        row.hold(row.lost == 0, f"{row.lost} writes lost")
        row.hold(row.doubled == 0, f"{row.doubled} writes doubled")
        row.hold(not self.unexpected, f"writes were answered with {dict(self.unexpected)}")

    async def _write(self) -> None:
        client = Client(self._port)
        while not self._ending:
            key = str(uuid4())
            question = request("POST", "/v1/items", ITEM | {"name": key}, Idempotency_Key=key)
            while (status := (await client.send(question)).status) in _TRY_AGAIN:
                self.requests, self.failures = self.requests + 1, self.failures + 1
                await asyncio.sleep(_AGAIN_SECONDS)
            self.requests += 1
            if status == 201:
                self._acknowledged.append(key)
            else:
                self.unexpected[str(status)] += 1
            async with self._news:
                self._news.notify_all()
        client.close()


async def kills(bench: Bench) -> Row:
    """Kills the service and, now and again, the database, each in the middle of writes."""
    of_service, of_database = bench.count(200, 8), bench.count(50, 4)
    database = await bench.postgres()
    service = await bench.running_service(database.url)
    order = [service] * of_service + [database] * of_database
    random.shuffle(order)
    async with Writers(service.port, _WRITERS) as writers:
        for number, victim in enumerate(order):
            bench.status = f"{number} of {len(order)} kills, {writers.acknowledged} writes acknowledged"
            await writers.until_acknowledged(random.randint(1, _MOST_WRITES_BETWEEN))
            await victim.kill()
            await victim.start()
        await writers.until_acknowledged(1)
    row = Row(
        f"kill -9: {of_service} of the service, {of_database} of the database",
        f"{_WRITERS} writers that send a write again, with its Idempotency-Key, until it is acknowledged",
        requests=writers.requests,
        failures=writers.failures,
    )
    await writers.judge(row, database)
    return row


SCENARIOS: dict[str, Scenario] = {"writes.kills": kills}
