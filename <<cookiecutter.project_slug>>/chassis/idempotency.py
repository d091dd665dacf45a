"""Idempotency-Key (the IETF's draft): a POST that is sent again, because its answer was lost, is not carried out again.

The answer is stored in the transaction that carries the request out, so there is never the one without the other.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from hashlib import blake2b

import structlog
from aiohttp import web
from multidict import CIMultiDict

from chassis.caller import Caller
from chassis.database import Database, InTransaction
from chassis.errors import IdempotencyKeyReusedError, InvalidRequestError, Mistake, RequestInProgressError

log = structlog.get_logger()

HEADER = "Idempotency-Key"
KEY = '"[ -~]{1,253}"|[!-~]{1,255}'
_BATCH = 1000
_CLEANING_SECONDS = 60


def idempotency_key(request: web.Request, caller: Caller) -> bytes | None:
    """What identifies the request: a digest of its path, its caller and its key; None where the client sent no key.

    Raises:
        InvalidRequestError: the key is no key.
    """
    keys = request.headers.getall(HEADER, ())
    if not keys:
        return None
    if len(keys) > 1 or not re.fullmatch(KEY, keys[0]):
        rule = "Should be given once, as 1 to 255 visible ASCII characters; a UUID is a good one"
        raise InvalidRequestError([Mistake("parameter", HEADER, rule)])
    return _digest(request.path, caller.subject, keys[0].strip('"'))


async def once(
    database: Database,
    key: bytes,
    content: str,
    keep: timedelta,
    carry_out: Callable[[Database], Awaitable[web.Response]],
) -> web.Response:
    """Carries a request out, or gives the answer that was stored when it was.

    Args:
        database: where the answers are.
        key: identifies the request.
        content: what the request says; the same key with another content is a mistake.
        keep: how long an answer is kept.
        carry_out: does it in the transaction that it is given. An exception leaves nothing behind, so that the request
            may be sent again.

    Raises:
        IdempotencyKeyReusedError: the key came with another content before.
        RequestInProgressError: the same request is being carried out now.
    """
    fingerprint = _digest(content)
    # Each statement sees what was committed before it: the second must see what the lock's last holder did.
    async with database.connection() as connection, connection.transaction(isolation="read_committed"):
        # Not waiting: a unique index alone would have the second request wait for the first one's transaction.
        lock = int.from_bytes(key[:8], signed=True)
        if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", lock):
            raise RequestInProgressError
        kept = "id = $1 AND created_at > now() - $2::interval"
        query = f"SELECT fingerprint, status, headers, body FROM idempotency_keys WHERE {kept}"
        if stored := await connection.fetchrow(query, key, keep):
            if stored["fingerprint"] != fingerprint:
                raise IdempotencyKeyReusedError
            headers = CIMultiDict(json.loads(stored["headers"]))
            return web.Response(status=stored["status"], body=stored["body"], headers=headers)
        response = await carry_out(InTransaction(connection))
        await connection.execute(
            "INSERT INTO idempotency_keys (id, fingerprint, status, headers, body) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (id) DO UPDATE SET (fingerprint, status, headers, body, created_at) = ($2, $3, $4, $5, now())",
            key,
            fingerprint,
            response.status,
            json.dumps(list(response.headers.items())),
            response.body or b"",
        )
        return response


async def clean(database: Database, keep: timedelta) -> None:
    """Deletes answers that are kept no longer, now and again and in small batches, until it is cancelled."""
    while True:
        try:
            while await _delete_batch(database, keep) == _BATCH:
                pass
        except Exception as error:  # whatever it is, the next round tries again
            log.warning("idempotency_keys_not_cleaned", reason=repr(error.__cause__ or error))
        await asyncio.sleep(_CLEANING_SECONDS)


async def _delete_batch(database: Database, keep: timedelta) -> int:
    # Other processes clean, too: each takes rows that no other one has.
    expired = (
        "SELECT id FROM idempotency_keys WHERE created_at <= now() - $1::interval "
        "ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED"
    )
    query = f"DELETE FROM idempotency_keys WHERE id IN ({expired}) RETURNING 1"
    return len(await database.fetch(query, keep, _BATCH))


def _digest(*texts: str) -> bytes:
    return blake2b("\n".join(texts).encode(errors="surrogatepass"), digest_size=16).digest()
