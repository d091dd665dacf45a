"""Fixtures of the order desk's tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from app.news import News, listen
from app.prices.cache import PriceCache
from chassis.service import key_of
from chassis.testing import Client

Listening = Callable[[Client], Awaitable[None]]


@pytest.fixture
def fakes() -> Mapping[type, Any]:
    """A Redis that is away, unless a test wants another one."""
    return {PriceCache: PriceCache(Redis(port=1, retry=Retry(NoBackoff(), 0)))}


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    """A function that starts to receive what processes publish, and returns when it does."""
    tasks = list[asyncio.Task[None]]()

    async def start(client: Client) -> None:
        with client.application.api[key_of(News)].value.about("start") as told:
            tasks.append(asyncio.create_task(client.run_background(listen)))
            await told.get()  # all queues end when the connection is there

    yield start
    for task in tasks:
        task.cancel()
