"""Cancellation: who asked for it, and tasks that ignore it."""

import asyncio
from typing import Any


def abandon(task: "asyncio.Task[Any]") -> None:
    """Cancel a task for which nobody waits any more, so that the process can end without it.

    `asyncio.run` and `uvloop.run` wait at their end for all tasks that are registered, for ever if one of them ignores
    its cancellation.
    """
    task.cancel()
    asyncio.tasks._unregister_task(task)


def is_cancelled() -> bool:
    """True if somebody has cancelled the present task; False if the task awaits something that was cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
