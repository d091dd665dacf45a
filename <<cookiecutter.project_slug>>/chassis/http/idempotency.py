"""Idempotency-Key (the IETF's draft): a client may repeat a POST whose response was lost, and it runs only once.

The response is stored in the transaction of the handler, so that either both are committed or neither.
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
from chassis.errors import FieldError, IdempotencyKeyReusedError, InvalidRequestError, RequestInProgressError

log = structlog.get_logger()

HEADER = "Idempotency-Key"
KEY = '"[ -~]{1,253}"|[!-~]{1,255}'
_BATCH_SIZE = 1000
_CLEANUP_INTERVAL_SECONDS = 60


def idempotency_key(request: web.Request, caller: Caller) -> bytes | None:
    """Return a digest of the request's path, caller and key; None if the client sent no key.

    Raises:
        InvalidRequestError: the key is malformed, or there are several.
    """
    keys = request.headers.getall(HEADER, ())
    if not keys:
        return None
    if len(keys) > 1 or not re.fullmatch(KEY, keys[0]):
        rule = "Should be given once, as 1 to 255 visible ASCII characters; a UUID is a good one"
        raise InvalidRequestError([FieldError("parameter", HEADER, rule)])
    return _digest(request.path, caller.subject, keys[0].strip('"'))


async def once(
    database: Database,
    key: bytes,
    content: str,
    keep: timedelta,
    carry_out: Callable[[Database], Awaitable[web.Response]],
) -> web.Response:
    """Run a request and store its response, or return the stored response of an earlier run.

    Args:
        database: stores the responses.
        key: identifies the request, as `idempotency_key` returns it.
        content: the normalized query string and body.
        keep: how long a response is stored.
        carry_out: runs the request on a database; an exception rolls back, so that the client may try again.

    Raises:
        IdempotencyKeyReusedError: the key was used with another content.
        RequestInProgressError: a request with this key is running.
    """
    fingerprint = _digest(content)
    # In this isolation level, the SELECT sees what the previous holder of the lock has committed.
    async with database.connection() as connection, connection.transaction(isolation="read_committed"):
        # Does not wait. With a unique index alone, the second request would wait for the transaction of the first.
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


async def delete_expired(database: Database, keep: timedelta) -> None:
    """Delete expired responses periodically, in small batches, until cancelled."""
    while True:
        try:
            while await _delete_batch(database, keep) == _BATCH_SIZE:
                pass
        except Exception as error:  # the next round tries again
            log.warning("idempotency_keys_not_cleaned", reason=repr(error.__cause__ or error))
        await asyncio.sleep(_CLEANUP_INTERVAL_SECONDS)


async def _delete_batch(database: Database, keep: timedelta) -> int:
    # SKIP LOCKED: other processes delete at the same time.
    expired = (
        "SELECT id FROM idempotency_keys WHERE created_at <= now() - $1::interval "
        "ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED"
    )
    query = f"DELETE FROM idempotency_keys WHERE id IN ({expired}) RETURNING 1"
    return len(await database.fetch(query, keep, _BATCH_SIZE))


def _digest(*texts: str) -> bytes:
    return blake2b("\n".join(texts).encode(errors="surrogatepass"), digest_size=16).digest()
