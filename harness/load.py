"""Load generators: a closed loop of clients, and a constant rate."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from harness.http import NO_ANSWER, Answer, Client, request
from harness.items import ITEM
from harness.record import Record


def reads_and_writes(item_id: int = 1, share_of_writes: float = 0.3) -> Callable[[], bytes]:
    """Return a function that chooses at random between reading an item and creating one."""
    read, write = request("GET", f"/v1/items/{item_id}"), request("POST", "/v1/items", ITEM)
    return lambda: write if random.random() < share_of_writes else read


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
