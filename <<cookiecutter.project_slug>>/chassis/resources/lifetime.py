"""The lifetime of one resource: opened, given to those who need it, and closed, each within a time limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, get_args, get_origin, get_type_hints

import structlog

from chassis.concurrency.cancellation import abandon
from chassis.resources.injection import Injector, name_of
from chassis.service import OpenResource, Resource

log = structlog.get_logger()

_ABANDON_SECONDS = 0.5  # after a close was cancelled


def type_of(function: OpenResource) -> type:
    """Return the type of what an asynchronous generator function yields.

    Raises:
        TypeError: its annotation does not tell; the message names the function.
    """
    returned = get_type_hints(function).get("return")
    origin, kinds = get_origin(returned), get_args(returned)
    if not isinstance(origin, type) or not issubclass(origin, AsyncIterator) or not kinds:
        raise TypeError(f"{name_of(function)}: annotate what it yields: -> AsyncIterator[Redis]")
    kind = get_origin(kinds[0]) or kinds[0]
    if not isinstance(kind, type):
        raise TypeError(f"{name_of(function)}: {kinds[0]} is not a class, and nobody could ask for it by its type")
    return kind


class Lifetime:
    """Opens and closes a resource in a task of its own, as libraries ask for: some bind what they open to its task.

    Args:
        resource: the resource.
        injector: has what the resource needs, and gets its value.
        seconds: the time limit of opening, and of closing.

    Attributes:
        name: the resource's function, for log lines and metrics.
        type: of the value.
        parameters: the types that its function asks for, by the names of its parameters.
        resource: the resource.
        healthy: whether it worked at the last check; True before the first one.

    Raises:
        TypeError: the function does not tell its type, or asks for what there is not.
    """

    def __init__(self, resource: Resource, injector: Injector, seconds: float) -> None:
        self.resource, self.name, self.type = resource, resource.open.__name__, type_of(resource.open)
        self.healthy = True
        self._injector, self._seconds = injector, seconds
        self.parameters = injector.parameters(resource.open)
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the resource, so that it is given to those who need it.

        Raises:
            Exception: what its function raises.
            TimeoutError: it takes too long.
        """
        opened = asyncio.get_running_loop().create_future()
        self._closing.clear()
        self._task = asyncio.create_task(self._live(opened), name=f"the resource {self.name}")
        try:
            # A function that ignores the time limit is abandoned.
            await asyncio.wait_for(opened, self._seconds + _ABANDON_SECONDS)
        except BaseException as error:
            if not self._task.done():
                abandon(self._task)
            if isinstance(error, TimeoutError):
                raise TimeoutError(
                    f"not open within {self._seconds:g} s, the time limit RESOURCE_TIMEOUT_SECONDS"
                ) from None
            raise

    async def _live(self, opened: "asyncio.Future[None]") -> None:
        generator = self.resource.open(**self._injector.arguments(self.parameters))
        try:
            async with asyncio.timeout(self._seconds):
                value: Any = await anext(generator)
        except BaseException as error:
            if not opened.done():
                opened.set_exception(_reason(error))
            if not isinstance(error, Exception | asyncio.CancelledError):
                raise
            return
        self._injector.values[self.type] = value
        opened.set_result(None)
        await self._closing.wait()
        async with asyncio.timeout(self._seconds):
            with suppress(StopAsyncIteration):
                await anext(generator)
                raise RuntimeError("it yields a second time")

    async def close(self) -> None:
        """Close the resource, if it is open; log what goes wrong, since nobody could do more about it."""
        if self._task is None:
            return
        self._injector.values.pop(self.type, None)
        self._closing.set()
        # Cancelled when the time is up. A function that ignores that is abandoned.
        await asyncio.wait([self._task], timeout=self._seconds + _ABANDON_SECONDS)
        if not self._task.done():
            abandon(self._task)
            log.warning("resource_not_closed", resource=self.name, reason=f"not closed within {self._seconds:g} s")
        elif not self._task.cancelled() and (error := self._task.exception()):
            log.warning("resource_not_closed", resource=self.name, reason=in_words(error))
        self._task = None


def _reason(error: BaseException) -> BaseException:
    """Return the error of an opening that has failed."""
    if isinstance(error, StopAsyncIteration):
        return RuntimeError("it yields nothing")
    if isinstance(error, asyncio.CancelledError):
        return RuntimeError("it awaits something that was cancelled")
    return error


def in_words(error: BaseException) -> str:
    """Describe an error for a log line. The message of a ValueError stays out, as it may quote a part of a password."""
    name, message = type(error).__name__, str(error)
    return name if isinstance(error, ValueError) or not message else f"{name}: {message}"
