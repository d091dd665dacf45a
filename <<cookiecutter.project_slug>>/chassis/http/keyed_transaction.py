"""The transaction of a request with an Idempotency-Key: its statements, and the response that is stored with them.

It begins with a lock on the key. If the handler first waits for something else, such as another service, it ends with a
claim on the key, and its connection goes back to the pool. The first statement then begins another transaction.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import asyncpg
from aiohttp import web
from multidict import CIMultiDict

from chassis.database import Connection, Database, InTransaction, Isolation, Transaction
from chassis.errors import DatabaseUnavailableError, IdempotencyKeyReusedError, RequestInProgressError, UnavailableError

_STATE = """
    SELECT stored.fingerprint, stored.status, stored.headers, stored.body, claim.owner,
        claim.expires_at > now() AS valid
    FROM (VALUES ($1::bytea)) AS key (id)
    LEFT JOIN idempotency_keys AS stored ON stored.id = key.id AND stored.created_at > now() - $2::interval
    LEFT JOIN idempotency_claims AS claim ON claim.id = key.id
"""
_CLAIM = """
    INSERT INTO idempotency_claims (id, owner, expires_at) VALUES ($1, $2, now() + $3::interval)
    ON CONFLICT (id) DO UPDATE SET (owner, expires_at) = (EXCLUDED.owner, EXCLUDED.expires_at)
"""
_STORE = """
    INSERT INTO idempotency_keys (id, fingerprint, status, headers, body) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (id) DO UPDATE SET (fingerprint, status, headers, body, created_at) = ($2, $3, $4, $5, now())
"""
_DELETE_CLAIM = "DELETE FROM idempotency_claims WHERE id = $1 AND owner = $2"
_NOT_BEGUN: Any = None
_RETRY_SECONDS = 0.5
_LONGEST_RELEASE_SECONDS = 1.0  # that a response waits for

_releases = set[asyncio.Task[None]]()  # asyncio itself holds weak references only


class KeyedTransaction(InTransaction):
    """The statements of a request with a key, used as an asynchronous context manager.

    Args:
        database: has the connections.
        key: identifies the request.
        fingerprint: a digest of what the request says.
        keep: how long a response is stored.
        claim: how long a claim holds; more than the request may take.

    Attributes:
        stored: the response of an earlier run of the request, if there is one.

    Raises:
        IdempotencyKeyReusedError: the key was used for a request with another fingerprint.
        RequestInProgressError: a request with this key is running.
    """

    def __init__(self, database: Database, key: bytes, fingerprint: bytes, keep: timedelta, claim: timedelta) -> None:
        super().__init__(_NOT_BEGUN, database)
        self.stored: web.Response | None = None
        self._database, self._key, self._fingerprint, self._keep = database, key, fingerprint, keep
        self._claim_for, self._owner = claim, secrets.token_bytes(16)
        self._begun: AsyncExitStack | None = None  # ends the transaction and releases the connection
        self._held = False  # whether the connection stays until the response is stored
        self._uses = 0  # statements and blocks in the transaction
        self._claimed = self._completed = False
        self._claiming: asyncio.Task[None] | None = None
        self._not_claimed: Exception | None = None  # why the claim could not be written

    async def __aenter__(self) -> Self:
        await self._begin_outermost("read_committed")
        asyncio.get_running_loop().call_soon(self._on_first_wait)
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            await self._stop()
        except BaseException as cancelled:
            await self._finish(cancelled)
            raise
        await self._finish(error)

    async def store(self, response: web.Response) -> None:
        """Store the response in the transaction."""
        async with self._innermost()._lock:
            connection = await self._ready(None)
            if self._claimed:
                # It may be gone if it has expired. The lock, which is held since, keeps others from running.
                await connection.execute(_DELETE_CLAIM, self._key, self._owner)
            headers, body = json.dumps(list(response.headers.items())), response.body or b""
            await connection.execute(_STORE, self._key, self._fingerprint, response.status, headers, body)
        self._completed = True

    def _conflict(self, error: Exception) -> Exception | None:
        return super()._conflict(error) if self._uses else Database._conflict(self, error)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Yield this transaction itself, with a connection."""
        if not self._held:
            async with self._lock:
                await self._hold("read_committed")
        yield self

    async def _finish(self, error: BaseException | None) -> None:
        """Commit, or roll back after an error."""
        try:
            if self._begun:
                await self._begun.__aexit__(*(type(error), error, error.__traceback__) if error else (None, None, None))
            self._claimed = self._claimed and not self._completed
        finally:
            if self._claimed:
                await self._release_claim()

    def _on_first_wait(self) -> None:
        """Give the connection back if what the handler waits for first is no statement."""
        if not self._held and not self._ended and self.stored is None:
            self._claiming = asyncio.create_task(self._claim_unless_used())

    async def _claim_unless_used(self) -> None:
        async with self._lock:
            if not self._held and not self._ended:
                try:
                    await self._end_with_claim()
                except Exception as error:
                    self._not_claimed = error

    async def _end_with_claim(self) -> None:
        """Commit a claim and release the connection, if there is a transaction."""
        begun, self._begun = self._begun, None
        if begun:
            async with begun:
                self._claimed = True
                await self._connection.execute(_CLAIM, self._key, self._owner, self._claim_for)
            self._connection = _NOT_BEGUN

    async def _ready(self, isolation: Isolation | None) -> Connection:
        if isolation not in {None, "read_committed"} and not self._uses:
            await self._end_with_claim()
        await self._hold(isolation or "read_committed")
        self._uses += 1
        return await super()._ready(isolation)

    async def _hold(self, isolation: Isolation) -> None:
        """Keep the connection until the response is stored; begin another transaction if the first one has ended."""
        self._refuse_if_ended()
        if self._not_claimed:
            raise self._not_claimed
        if self._begun is None:
            await self._begin_outermost(isolation)
        self._held = True

    async def _begin_outermost(self, isolation: Isolation) -> None:
        lock = int.from_bytes(self._key[:8], signed=True)
        async with AsyncExitStack() as stack:
            connection = await stack.enter_async_context(self._database.connection())
            await stack.enter_async_context(connection.transaction(isolation=isolation))
            if self._claimed:  # others hold the lock for a moment, to see the claim; code of release 0.2 sees none
                await connection.execute("SELECT pg_advisory_xact_lock($1)", lock)
            elif not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", lock):
                raise RequestInProgressError
            # In a transaction that is not `read_committed`, a response that was stored while the lock was acquired does
            # not show. Then storing another one is a serialization failure.
            self._check(await connection.fetchrow(_STATE, self._key, self._keep))
            self._refuse_if_ended()  # by a cancellation, which does not wait for the statements of other tasks
            self._connection, self._begun = connection, stack.pop_all()

    def _check(self, state: asyncpg.Record | None) -> None:
        """Set `stored` if there is a stored response; raise an error if the handler may not run, or not go on."""
        if state is None:
            raise AssertionError("the query has one row")
        if state["fingerprint"] is not None:
            if state["fingerprint"] != self._fingerprint:
                raise IdempotencyKeyReusedError
            headers = CIMultiDict(json.loads(state["headers"]))
            self.stored = web.Response(status=state["status"], body=state["body"], headers=headers)
            if self._claimed:
                raise AnsweredMeanwhileError
        elif state["owner"] != self._owner if self._claimed else state["valid"]:
            raise RequestInProgressError

    @asynccontextmanager
    async def _begin(self, isolation: Isolation | None, readonly: bool) -> AsyncGenerator[Transaction]:
        first = not self._uses
        try:
            async with super()._begin(isolation, readonly) as savepoint:
                yield savepoint
        except asyncpg.SerializationError as error:
            if not first:
                raise
            await self._start_over(error)
            raise DatabaseUnavailableError from error

    async def _start_over(self, error: Exception) -> None:
        """Give up a transaction that has failed with its first block; the next statement begins another one."""
        async with self._lock:
            if self._uses > 1:  # another task has run a statement, which would be lost
                raise error
            if self._claimed and self._begun:
                begun, self._begun = self._begun, None
                with suppress(Exception):  # the same error, which the caller raises
                    await begun.__aexit__(type(error), error, error.__traceback__)
            else:
                await self._end_with_claim()
            self._uses = 0

    async def _release_claim(self) -> None:
        """Delete the claim, so that the client may send the request again at once."""
        seconds = self._claim_for.total_seconds()
        release = asyncio.create_task(self._delete_claim(seconds))
        _releases.add(release)
        release.add_done_callback(_releases.discard)
        await asyncio.wait([release], timeout=_LONGEST_RELEASE_SECONDS)

    async def _delete_claim(self, seconds: float) -> None:
        if self._claiming:  # a request that is cancelled does not wait for it
            await asyncio.wait([self._claiming])
        with suppress(TimeoutError):  # then it has expired
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        await self._database.execute(_DELETE_CLAIM, self._key, self._owner)
                        return
                    except UnavailableError:
                        await asyncio.sleep(_RETRY_SECONDS)


class AnsweredMeanwhileError(Exception):
    """A process that does not know the claim, of release 0.2, has carried the request out."""
