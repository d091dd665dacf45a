"""Event loop lag: how late the event loop runs a scheduled callback. The lag delays every request.

A watchdog thread logs what blocks the event loop, while it does: code that never yields leaves no other trace.
"""

import asyncio
import sys
import threading
import time
from pathlib import Path
from types import CodeType, FrameType
from typing import Never

import structlog

from chassis.project import ROOT
from chassis.telemetry.metrics import EVENT_LOOP_LAG

log = structlog.get_logger()

_INTERVAL_SECONDS = 1
_BLOCKED_SECONDS = 1
_RESUME_SECONDS = 0.1  # for a loop that only waits for events to run what is due, after the process was suspended
_JOIN_SECONDS = 1
_DEBUGGERS = ("bdb", "pydevd", "_pydevd")  # modules of the standard library's, and of those of VS Code and PyCharm
_OWN_CODE = f"{ROOT / 'app'}/"


async def measure_event_loop_lag() -> Never:
    """Update the metric once a second, and log what blocks the event loop for longer than a second, until cancelled."""
    loop, watchdog = asyncio.get_running_loop(), _Watchdog()
    try:
        while True:
            due = loop.time() + _INTERVAL_SECONDS
            watchdog.expect_in(_INTERVAL_SECONDS)
            await asyncio.sleep(_INTERVAL_SECONDS)
            EVENT_LOOP_LAG.set(max(0, loop.time() - due))
    finally:
        watchdog.stop()


class _Watchdog:
    """A thread that logs where the event loop's thread is, if it misses its appointment. It wakes up once a second.

    It has to be made by a coroutine of the event loop.
    """

    def __init__(self) -> None:
        self._watched = threading.get_ident()
        self._waits_in = _caller_of_the_loop()
        self._stopped = threading.Event()
        self.expect_in(_INTERVAL_SECONDS)
        self._thread = threading.Thread(target=self._watch, name="event-loop-watchdog", daemon=True)
        self._thread.start()

    def expect_in(self, seconds: float) -> None:
        """Make the next appointment. It is a plain attribute: the thread needs no lock to read it."""
        self._due = time.monotonic() + seconds

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join(_JOIN_SECONDS)

    def _watch(self) -> None:
        while not self._stopped.wait(max(0, self._due + _BLOCKED_SECONDS - time.monotonic())):
            due = self._due
            if time.monotonic() < due + _BLOCKED_SECONDS:
                continue
            self._report(due)
            while self._due == due and not self._stopped.wait(_INTERVAL_SECONDS):  # one line, however long it takes
                pass

    def _report(self, due: float) -> None:
        """Log where the thread is. No frame is kept: what its variables refer to would stay in memory."""
        frame = self._frame()
        if frame is None or self._waits(frame):
            self._stopped.wait(_RESUME_SECONDS)
            if self._due != due:
                return
            frame = self._frame()
        if frame is not None and not _is_debugged(frame):
            log.warning("event_loop_blocked", seconds=round(time.monotonic() - due, 3), where=_place(frame))

    def _frame(self) -> FrameType | None:
        return sys._current_frames().get(self._watched)

    def _waits(self, frame: FrameType) -> bool:
        """Return whether the event loop waits for events: uvloop in its caller's frame, asyncio's loop in selectors."""
        return frame.f_code is self._waits_in or Path(frame.f_code.co_filename).name == "selectors.py"


def _caller_of_the_loop() -> CodeType | None:
    """Return the code that runs the event loop, which a coroutine calls this for: the frame below that of its task."""
    frame: FrameType | None = sys._getframe()
    while frame and frame.f_code is not measure_event_loop_lag.__code__:
        frame = frame.f_back
    return frame.f_back.f_code if frame and frame.f_back else None


def _is_debugged(frame: FrameType) -> bool:
    """Return whether the code stands still in a debugger, where it waits for its developer."""
    inner: FrameType | None = frame
    while inner:
        if str(inner.f_globals.get("__name__")).startswith(_DEBUGGERS):
            return True
        inner = inner.f_back
    return False


def _place(frame: FrameType) -> str:
    """Return the innermost place in the service's own code, or else the innermost place."""
    own: FrameType | None = frame
    while own and not own.f_code.co_filename.startswith(_OWN_CODE):
        own = own.f_back
    found = own or frame
    file = found.f_code.co_filename.removeprefix(f"{ROOT}/")
    return f"{file}:{found.f_lineno} in {found.f_code.co_qualname}"
