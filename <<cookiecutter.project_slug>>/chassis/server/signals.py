"""Shutdown requests, and the signals that make them."""

import asyncio
import os
import signal
from types import FrameType


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
    """Request a shutdown on SIGTERM, and an immediate one on SIGINT (Ctrl-C); a second signal exits at once."""
    shutdown, loop = Shutdown(), asyncio.get_running_loop()

    def first(number: int) -> None:
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)
            signal.signal(each, _exit_now)
        shutdown.request(immediate=number == signal.SIGINT)

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, first, each)
    return shutdown


def _exit_now(number: int, _: FrameType | None) -> None:
    # Not the default action: the kernel does not apply it to process 1 of a container.
    os._exit(128 + number)
