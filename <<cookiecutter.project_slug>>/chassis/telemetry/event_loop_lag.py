"""Event loop lag: how late the event loop runs a scheduled callback. The lag delays every request.

A thread checks that the event loop runs. If code blocks the event loop for seconds, or for ever, the thread logs where
that code is.
"""

import asyncio
import sys
import threading
from traceback import extract_stack
from typing import Never

import structlog

from chassis.telemetry.metrics import EVENT_LOOP_LAG

log = structlog.get_logger()

_INTERVAL_SECONDS = 1
_BLOCKED_LOOKS = 2  # in a row, as the first one after a pause of the whole process says nothing
_FRAMES = 8


async def measure_event_loop_lag() -> Never:
    """Update the metric once a second, until cancelled."""
    loop, watch = asyncio.get_running_loop(), _Watch()
    threading.Thread(target=watch.run, name="event-loop-watch", daemon=True).start()
    try:
        while True:
            due = loop.time() + _INTERVAL_SECONDS
            await asyncio.sleep(_INTERVAL_SECONDS)
            watch.turns += 1
            EVENT_LOOP_LAG.set(max(0, loop.time() - due))
    finally:
        watch.ended.set()


class _Watch:
    """Looks from a thread whether the event loop of the thread that makes this object runs.

    Attributes:
        turns: increased by the event loop once a second.
        ended: set when the thread ends.
    """

    def __init__(self) -> None:
        self.turns, self.ended = 0, threading.Event()
        self._thread = threading.get_ident()

    def run(self) -> None:
        """Log once for each time that the event loop is blocked."""
        seen, looks = -1, 0
        while not self.ended.wait(_INTERVAL_SECONDS):
            looks, seen = looks + 1 if self.turns == seen else 0, self.turns
            if looks == _BLOCKED_LOOKS:
                log.error("event_loop_blocked", stack=self._stack())

    def _stack(self) -> list[str]:
        """Return where the event loop's thread is: files, lines and functions, the innermost last, and no values."""
        frame = sys._current_frames().get(self._thread)
        return [f"{each.filename}:{each.lineno} {each.name}" for each in extract_stack(frame)[-_FRAMES:]]
