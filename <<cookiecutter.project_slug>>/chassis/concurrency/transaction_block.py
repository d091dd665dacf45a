"""A transaction that is about to begin: for an `async with` block, or for a function that is retried."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from types import TracebackType
from typing import Concatenate, Generic, ParamSpec, TypeVar

_FIRST_PAUSE_SECONDS = 0.02  # before a transaction is carried out again; each further pause may be twice as long
_LONGEST_PAUSE_SECONDS = 0.5

_Transaction = TypeVar("_Transaction")
_P = ParamSpec("_P")
_Result = TypeVar("_Result")


class TransactionBlock(Generic[_Transaction]):
    """A transaction that is about to begin, as `Database.transaction` returns it.

    Args:
        begin: begins the transaction, and ends it at the end of its `async with` block.
        retry: how often `run` carries its function out again.
        conflict: returns the reason of an error after which that may succeed, and None for other errors.
        on_retry: is told the reason of each retry.
    """

    def __init__(
        self,
        begin: Callable[[], AbstractAsyncContextManager[_Transaction]],
        retry: int,
        conflict: Callable[[Exception], Exception | None],
        on_retry: Callable[[Exception], None],
    ) -> None:
        self._begin, self._retry, self._conflict, self._on_retry = begin, retry, conflict, on_retry

    async def run(
        self,
        function: Callable[Concatenate[_Transaction, _P], Awaitable[_Result]],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _Result:
        """Carry a function out, as `Database.transaction` says. Pauses between retries are short and random."""
        for attempt in count():
            try:
                async with self._begin() as transaction:
                    return await function(transaction, *args, **kwargs)
            except Exception as error:
                reason = self._conflict(error)
                if attempt >= self._retry or reason is None:
                    raise
                self._on_retry(reason)
            longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**attempt)
            await asyncio.sleep(random.uniform(0, longest))  # noqa: S311
        raise AssertionError("unreachable")

    async def __aenter__(self) -> _Transaction:
        if self._retry:
            raise TypeError(
                "A block of `async with` cannot be carried out again. Write the statements as a function, and call "
                "`await database.transaction(retry=…).run(function, …)`."
            )
        self._entered = self._begin()
        return await self._entered.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._entered.__aexit__(kind, error, traceback)

    async def start(self) -> None:
        """Begin, without an `async with` block, as asyncpg's transactions can."""
        await self.__aenter__()

    async def commit(self) -> None:
        """End a transaction that `start` has begun."""
        await self.__aexit__(None, None, None)

    async def rollback(self) -> None:
        """Roll back a transaction that `start` has begun."""
        await self.__aexit__(_RollbackError, _RollbackError(), None)


class _RollbackError(Exception):
    """Ends a block without an error of its own."""
