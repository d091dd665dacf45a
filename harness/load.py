"""Load generators, closed-loop and at a constant rate, and a record of the responses."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from harness.http import NO_ANSWER, Answer, Client, request

ITEM = {"name": "Lamp", "description": "Bright", "price_cents": 1999}


class Outcome(NamedTuple):
    """The figures that are kept of a response."""

    begun: float
    ended: float
    status: int

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclass
class Record:
    """The responses to all requests of a load."""

    outcomes: list[Outcome] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, answer: Answer) -> None:
        self.outcomes.append(Outcome(answer.begun, answer.ended, answer.status))
        if not answer.ok:
            self.errors[answer.error or str(answer.status)] += 1

    @property
    def failures(self) -> int:
        return self.errors.total()

    @property
    def unexpected(self) -> str:
        """Describe the failures other than 503."""
        return ", ".join(f"{count} × {error}" for error, count in self.errors.items() if error != "503")

    def slowest(self) -> float:
        return max((each.seconds for each in self.outcomes), default=0)

    def seconds(self, *, status: int | None = None) -> list[float]:
        """Return the latencies of the responses with a status; by default, of all successful ones."""
        return [each.seconds for each in self.outcomes if (each.ok if status is None else each.status == status)]

    def recovery(self, since: float) -> float | None:
        """Return the seconds from `since` to the last failure or to the first later success; None without a success."""
        after = [each for each in self.outcomes if each.ended >= since]
        first = min((each.ended for each in after if each.ok), default=None)
        return None if first is None else max([first, *(each.ended for each in after if not each.ok)]) - since


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least this percentage of the values do not exceed; NaN for no values."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1] if values else math.nan


def reads_and_writes(item_id: int = 1, share_of_writes: float = 0.3) -> Callable[[], bytes]:
    """Return a function that chooses at random between reading an item and creating one."""
    read, write = request("GET", f"/v1/items/{item_id}"), request("POST", "/v1/items", ITEM)
    return lambda: write if random.random() < share_of_writes else read


async def create_item(port: int, **headers: str) -> int:
    """Create an item and return its id."""
    client = Client(port)
    answer = await client.send(request("POST", "/v1/items", ITEM, **headers))
    client.close()
    if not answer.ok:
        raise RuntimeError(f"no item could be created: {answer.status or answer.error} {answer.body!r}")
    return int(answer.head.partition(b"\r\nlocation: /v1/items/")[2].partition(b"\r")[0])


@asynccontextmanager
async def closed_loop(
    port: int | Callable[[], int], choose: Callable[[], bytes], clients: int, record: Record, think_seconds: float = 0
) -> AsyncIterator[None]:
    """Run keep-alive clients until the block ends. Each repeatedly thinks, sends a request and waits for the response.

    Clients stop between two requests, so none is cut off. The think time is random, at most twice `think_seconds`.
    """
    ending = False

    async def think() -> None:
        await asyncio.sleep(random.uniform(0, 2 * think_seconds))

    async def ask() -> None:
        client = Client(port)
        await think()  # spreads the first requests over time
        while not ending:
            answer = await client.send(choose())
            record.add(answer)
            if think_seconds or answer.status == NO_ANSWER:  # no busy loop
                await think()
        client.close()

    tasks = [asyncio.create_task(ask()) for _ in range(clients)]
    try:
        yield
    finally:
        ending = True
        await asyncio.gather(*tasks)


async def open_loop(port: int, question: bytes, rate: float, seconds: float) -> list[Answer]:
    """Send requests at a constant rate, regardless of responses. Latencies count from when a request was due."""
    idle: list[Client] = []
    answers: list[Answer] = []

    async def ask(due: float) -> None:
        client = idle.pop() if idle else Client(port)
        answers.append(await client.send(question, due))
        idle.append(client)

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for number in range(int(rate * seconds)):
            due = begun + number / rate
            await asyncio.sleep(due - time.perf_counter())
            tasks.create_task(ask(due))
    for client in idle:
        client.close()
    return answers
