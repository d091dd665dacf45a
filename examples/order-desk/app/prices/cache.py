"""The cache of prices: a Redis, without which everything works, only slower."""

from collections.abc import AsyncIterator

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.prices.models import Price
from app.settings import Settings
from chassis.observability import counter

log = structlog.get_logger()
READS = counter("price_cache_reads", "Reads of prices from the cache, by result: hit, miss or error.", ["result"])
_FRESH_SECONDS = 60


async def redis(settings: Settings) -> AsyncIterator[Redis]:
    """Open the client. It connects at its first use, so the service starts without Redis as well."""
    at_once = Retry(NoBackoff(), 0)  # asking the database is quicker than asking again
    url = settings.redis_url.get_secret_value()
    async with Redis.from_url(url, socket_connect_timeout=0.2, socket_timeout=0.2, retry=at_once) as client:
        yield client


async def cached(redis: Redis, sku: str) -> Price | None:
    """Return the price of a SKU if the cache has it."""
    try:
        found = await redis.get(f"price:{sku}")
    except RedisError as error:
        READS.labels("error").inc()
        log.warning("cache_failed", reason=repr(error))
        return None
    READS.labels("hit" if found else "miss").inc()
    return Price.model_validate_json(found) if found else None


async def keep(redis: Redis, price: Price) -> None:
    """Keep a price in the cache for a minute."""
    try:
        await redis.set(f"price:{price.sku}", price.model_dump_json(), ex=_FRESH_SECONDS)
    except RedisError as error:
        log.warning("cache_failed", reason=repr(error))
