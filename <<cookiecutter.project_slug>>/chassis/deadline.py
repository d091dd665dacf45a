"""Bounded waits of equal length, by one timer for all: a timer each takes longer than all else that a wait needs."""

import asyncio
from types import TracebackType
from typing import Any, cast

_READING_SECONDS = 0.01


class Deadline:
    """Bounds the time of waits that all have the same: a `with` block is one, and its task is in one at a time.

    Args:
        seconds: how long each may take.
        error: what its block ends with then.
    """

    def __init__(self, seconds: float, error: type[Exception]) -> None:
        self._seconds, self._error = seconds, error
        self._due: dict[asyncio.Task[Any], float] = {}  # in the order in which they come
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        task = cast(asyncio.Task[Any], asyncio.current_task())
        loop = task.get_loop()
        self._due[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_later(self._seconds, self._look, loop)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        task = cast(asyncio.Task[Any], asyncio.current_task())
        if self._due.pop(task, None) is not None:
            return
        if task.uncancel() == 0 and isinstance(error, asyncio.CancelledError):  # or somebody else has cancelled it, too
            raise self._error from error

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        # uvloop runs timers before it reads: where the process itself stood still, what is waited for may be there.
        loop.call_later(_READING_SECONDS, self._give_up, loop)

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, now = None, loop.time()
        for task, due in list(self._due.items()):
            if due > now:
                self._timer = loop.call_at(due, self._look, loop)
                break
            del self._due[task]
            task.cancel()
