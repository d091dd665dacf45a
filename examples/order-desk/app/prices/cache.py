"""The cache of prices: a Redis, without which everything works, only slower."""

import time
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.prices.models import Price
from app.settings import Settings
from chassis.observability import counter

log = structlog.get_logger()
READS = counter("price_cache_reads", "Reads of prices from the cache, by result: hit or miss.", ["result"])
_FRESH_SECONDS, _PAUSE_SECONDS = 60, 5


class PriceCache:
    """Prices in Redis, each for a minute. After an error, Redis is left alone for a while, as waiting takes time."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._away_until = 0.0

    async def get(self, sku: str) -> Price | None:
        """Return the price of a SKU if the cache has it."""
        found = None if self._is_away() else await self._answer(self._redis.get(f"price:{sku}"))
        READS.labels("hit" if found else "miss").inc()
        return Price.model_validate_json(found) if found else None

    async def put(self, price: Price) -> None:
        """Keep a price for a minute."""
        if not self._is_away():
            await self._answer(self._redis.set(f"price:{price.sku}", price.model_dump_json(), ex=_FRESH_SECONDS))

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    async def _answer(self, command: Awaitable[Any]) -> Any:
        try:
            return await command
        except RedisError as error:
            self._away_until = time.monotonic() + _PAUSE_SECONDS
            log.warning("cache_failed", reason=f"{type(error).__name__}: {error}")
            return None


async def price_cache(settings: Settings) -> AsyncIterator[PriceCache]:
    """Open the cache. It connects at its first use, so the service starts without Redis as well."""
    at_once = Retry(NoBackoff(), 0)  # asking the database is quicker than asking again
    url = settings.redis_url.get_secret_value()
    async with Redis.from_url(url, socket_connect_timeout=0.2, socket_timeout=0.2, retry=at_once) as redis:
        yield PriceCache(redis)
