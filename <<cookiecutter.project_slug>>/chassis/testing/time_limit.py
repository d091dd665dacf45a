"""A test that exceeds its time limit fails with the stacks of the event loop's tasks, which tell what it waits for.

The library pytest-timeout sets the limit and shows the stacks of threads. In an asynchronous test, the stack of the
thread shows only the event loop.
"""

import asyncio
import signal
import sys
import traceback
from collections.abc import Generator, Iterator
from types import FrameType
from typing import Any

import pytest
import pytest_timeout  # type: ignore[import-untyped]


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer() -> Generator[None, object, object]:
    """Print the tasks before pytest-timeout ends the test."""
    result = yield
    end_test = signal.getsignal(signal.SIGALRM)
    if callable(end_test):

        def on_timeout(number: int, frame: FrameType | None) -> None:
            if not pytest_timeout.is_debugging():
                _print_tasks()
            end_test(number, frame)

        signal.signal(signal.SIGALRM, on_timeout)
    return result


def _print_tasks() -> None:
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # no event loop runs
        return
    for task in tasks:
        stack = traceback.StackSummary.extract((frame, frame.f_lineno) for frame in _frames(task.get_coro()))
        print(f"The task {task.get_name()} waits here:", *stack.format(), sep="\n", end="", file=sys.stderr)


def _frames(awaited: Any) -> Iterator[FrameType]:
    """Yield the frames of a coroutine and of what it waits for, the outermost first."""
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):  # coroutine, generator, asynchronous generator
            if frame := getattr(awaited, f"{kind}_frame", None):
                yield frame
                break
        inner = (getattr(awaited, name, None) for name in ("cr_await", "gi_yieldfrom", "ag_await"))
        awaited = next(filter(None, inner), None)
