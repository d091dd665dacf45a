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
from aiohttp import hdrs, web

from chassis.caller import Caller
from chassis.database import Database
from chassis.errors import FieldError, InvalidRequestError
from chassis.http.keyed_transaction import KeyedTransaction

log = structlog.get_logger()

HEADER = "Idempotency-Key"
KEY = '"[ -~]{1,253}"|[!-~]{1,255}'
_BATCH_SIZE = 1000
_CLEANUP_INTERVAL_SECONDS = 60


def idempotency_key(request: web.Request, caller: Caller, caller_header: str = "") -> bytes | None:
    """Return a digest of the request's method, path, caller and key; None if the client sent no key.

    Args:
        request: the request.
        caller: its caller; all callers are one if the API requires no token.
        caller_header: a header that tells callers apart; empty if none does.

    Raises:
        InvalidRequestError: the key is malformed, or there are several.
    """
    keys = request.headers.getall(HEADER, ())
    if not keys:
        return None
    if len(keys) > 1 or not re.fullmatch(KEY, keys[0]):
        rule = "Should be given once, as 1 to 255 visible ASCII characters; a UUID is a good one"
        raise InvalidRequestError([FieldError("parameter", HEADER, rule)])
    parts = [request.path, caller.subject, keys[0].strip('"')]
    if request.method != hdrs.METH_POST:
        parts.append(request.method)
    if caller_header:
        parts.append(f"{caller_header}: {', '.join(request.headers.getall(caller_header, ()))}")
    return digest(*parts)


def digest(*parts: str) -> bytes:
    """Return a digest of texts, another one for other texts.

    Texts without newlines have the digest of release 0.2, whose pods answer requests beside these during an update.
    """
    if any("\n" in part for part in parts):
        return _hash(json.dumps(parts), b"newlines")
    return _hash("\n".join(parts), b"")


async def once(
    database: Database,
    key: bytes,
    fingerprint: bytes,
    keep: timedelta,
    claim: timedelta,
    carry_out: Callable[[Database], Awaitable[web.Response]],
) -> web.Response:
    """Run a request and store its response, or return the stored response of an earlier run.

    Args:
        database: stores the responses.
        key: identifies the request, as `idempotency_key` returns it.
        fingerprint: a digest of the query string, the body and the declared headers.
        keep: how long a response is stored.
        claim: how long a key is kept from others if the process dies; more than the request may take.
        carry_out: runs the request on a database; an exception rolls back, so that the client may try again.

    Raises:
        IdempotencyKeyReusedError: the key was used with another fingerprint.
        RequestInProgressError: a request with this key is running.
    """
    async with KeyedTransaction(database, key, fingerprint, keep, claim) as transaction:
        if transaction.stored is None:
            try:
                response = await carry_out(transaction)
                await transaction.store(response)
            except Exception:
                if transaction.stored is None:
                    raise
            else:
                return response
    return transaction.stored


async def delete_expired(database: Database, keep: timedelta) -> None:
    """Delete expired responses and claims periodically, in small batches, until cancelled."""
    while True:
        try:
            await database.execute("DELETE FROM idempotency_claims WHERE expires_at <= now()")
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


def _hash(text: str, person: bytes) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16, person=person).digest()
