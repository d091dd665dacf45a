"""Clients: in a closed loop, at a rate, and what came of their requests."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from faults.http import NO_ANSWER, Answer, Client, request

ITEM = {"name": "Lamp", "description": "Bright", "price_cents": 1999}


class Outcome(NamedTuple):
    """What is remembered of an answer."""

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
    """What came of requests."""

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
        """Failures other than a 503, in words."""
        return ", ".join(f"{count} × {error}" for error, count in self.errors.items() if error != "503")

    def slowest(self) -> float:
        return max((each.seconds for each in self.outcomes), default=0)

    def seconds(self, *, status: int | None = None) -> list[float]:
        """How long answers took: those of a status, or all that succeeded."""
        return [each.seconds for each in self.outcomes if (each.ok if status is None else each.status == status)]

    def recovery(self, since: float) -> float | None:
        """Seconds from a moment to the first success after it, or to the last failure; None where nothing succeeds."""
        after = [each for each in self.outcomes if each.ended >= since]
        first = min((each.ended for each in after if each.ok), default=None)
        return None if first is None else max([first, *(each.ended for each in after if not each.ok)]) - since


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent do not exceed; NaN of nothing."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1] if values else math.nan


def reads_and_writes(item_id: int = 1, share_of_writes: float = 0.3) -> Callable[[], bytes]:
    """Reads an item, or creates one."""
    read, write = request("GET", f"/v1/items/{item_id}"), request("POST", "/v1/items", ITEM)
    return lambda: write if random.random() < share_of_writes else read


async def create_item(port: int, **headers: str) -> int:
    """Creates an item and returns its id."""
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
    """Keep-alive clients, each of which thinks, asks and is answered, again and again, until the block ends.

    They end between two requests, so that none is cut off. They think for up to twice `think_seconds`, at random.
    """
    ending = False

    async def think() -> None:
        await asyncio.sleep(random.uniform(0, 2 * think_seconds))

    async def ask() -> None:
        client = Client(port)
        await think()  # so that they do not begin all at once
        while not ending:
            answer = await client.send(choose())
            record.add(answer)
            if think_seconds or answer.status == NO_ANSWER:  # a refused connection may be told at once
                await think()
        client.close()

    tasks = [asyncio.create_task(ask()) for _ in range(clients)]
    try:
        yield
    finally:
        ending = True
        await asyncio.gather(*tasks)


async def open_loop(port: int, question: bytes, rate: float, seconds: float) -> list[Answer]:
    """Requests at a rate, whatever becomes of them; a latency counts from when the request was due."""
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
