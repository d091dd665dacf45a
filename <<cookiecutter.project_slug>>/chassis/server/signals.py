"""Shutdown requests, and the signals that make them."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

_SIGNALS_UNTIL_EXIT = 2


class Shutdown:
    """A shutdown request.

    Attributes:
        requested: set when the service has to shut down; it drains first.
        immediate: set when the drain has to be skipped, or ended early.
    """

    def __init__(self) -> None:
        self.requested = asyncio.Event()
        self.immediate = asyncio.Event()

    def request(self, *, immediate: bool = False) -> None:
        """Request a shutdown, with a drain unless it is immediate."""
        if immediate:
            self.immediate.set()
        self.requested.set()


def shutdown_on_signals() -> Shutdown:
    """Request a shutdown on SIGTERM, and an immediate one on SIGINT (Ctrl-C); a second signal exits at once.

    These are handlers of Python, not of the event loop, so that a second signal works while code blocks the loop.
    """
    shutdown, loop = Shutdown(), asyncio.get_running_loop()

    def first(number: int, _: FrameType | None) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, _exit_now)
        loop.call_soon_threadsafe(partial(shutdown.request, immediate=number == signal.SIGINT))

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, first)
    return shutdown


class Interruption(Shutdown):
    """A request to end a command.

    Attributes:
        signal: the last signal; 0 if there was none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.signal = 0


@contextmanager
def interrupted_by_signals() -> Iterator[Interruption]:
    """Have a command end on SIGTERM within its drain, and at once on SIGINT or a second signal, until the block ends.

    A third signal exits the process. These are handlers of Python, not of the event loop, so that a third signal works
    while the command blocks the loop.
    """
    interruption, loop, received = Interruption(), asyncio.get_running_loop(), 0

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received += 1
        if received > _SIGNALS_UNTIL_EXIT:
            _exit_now(number, frame)
        interruption.signal = number
        loop.call_soon_threadsafe(
            lambda immediate: interruption.request(immediate=immediate), number == signal.SIGINT or received > 1
        )

    before = {each: signal.signal(each, handle) for each in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_now(number: int, _: FrameType | None) -> None:
    # Not the default action: the kernel does not apply it to process 1 of a container.
    os._exit(128 + number)
