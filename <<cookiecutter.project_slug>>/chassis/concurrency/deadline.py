"""A deadline for many waits of equal length, with one timer for all of them.

deadline = Deadline(28, DeadlineExceededError)
with deadline:
    await something()
"""

import asyncio
from types import TracebackType
from typing import Any
from weakref import WeakSet

_READ_SECONDS = 0.01
_ALL = WeakSet["Deadline"]()


class Deadline:
    """Limits how long a `with` block may take. A task may be in one block at a time.

    Args:
        seconds: the limit of each block.
        error: raised by a block that takes longer.
    """

    def __init__(self, seconds: float, error: type[Exception]) -> None:
        self._seconds, self._error = seconds, error
        self._due: dict[asyncio.Task[Any], float] = {}  # in the order of their deadlines, as all limits are equal
        self._lifted = set[asyncio.Task[Any]]()
        self._timer: asyncio.TimerHandle | None = None
        _ALL.add(self)

    def __enter__(self) -> "asyncio.Task[Any]":
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # blocks are in tasks
        loop = task.get_loop()
        self._due[task] = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(self._due[task], self._on_timer, loop, self._due[task])
        return task

    def elapsed(self, task: "asyncio.Task[Any]") -> float:
        """Return for how many seconds a task has been in its block."""
        latest = task.get_loop().time() + self._seconds
        return latest - self._due.get(task, latest)

    def lift(self, task: "asyncio.Task[Any]") -> None:
        """Let the block that a task is in take as long as it likes from now on."""
        if self._due.pop(task, None) is not None:
            self._lifted.add(task)

    def is_lifted(self, task: "asyncio.Task[Any]") -> bool:
        """Return whether the block that a task is in may take as long as it likes."""
        return task in self._lifted

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # blocks are in tasks
        if self._due.pop(task, None) is not None:
            return
        if task in self._lifted:
            self._lifted.discard(task)
            return
        if task.uncancel() == 0 and isinstance(error, asyncio.CancelledError):  # nobody else has cancelled the task
            raise self._error from error

    def _on_timer(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        # uvloop runs timers before it reads sockets. After a pause of the process the awaited data may be in a socket:
        # let the event loop read it first. All blocks get the time of the pause anew, up to their limit. The pause is
        # by how much this timer is late: not what a block is overdue, which has this timer's own delay in it.
        now = max(loop.time(), at)  # uvloop rounds to milliseconds
        pause = min(now - at, self._seconds)
        later = now + pause + _READ_SECONDS
        loop.call_at(later, self._cancel_overdue, loop, now, later)

    def _cancel_overdue(self, loop: asyncio.AbstractEventLoop, by: float, at: float) -> None:
        self._timer = None
        for task, due in list(self._due.items()):
            if due > by:
                next_at = max(due, at)
                self._timer = loop.call_at(next_at, self._on_timer, loop, next_at)
                break
            del self._due[task]
            task.cancel()


def lift_deadlines() -> None:
    """Lift the deadlines of the blocks that the current task is in, for a debugger; without a task, do nothing."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs in this thread
        return
    if task:
        for deadline in _ALL:
            deadline.lift(task)
