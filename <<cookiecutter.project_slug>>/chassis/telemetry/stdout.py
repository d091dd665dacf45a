"""Standard output that never blocks: its reader may hang or be gone, and the event loop must not stop for that."""

import asyncio
import atexit
import os
import select
import sys
import threading

from chassis.telemetry.metrics import LOG_LINES_DROPPED

# What a pipe that is reported as writable accepts without blocking.
_CHUNK_BYTES = select.PIPE_BUF


class NonBlockingStdout:
    """A stream for whole lines. A line that cannot be written now is dropped and counted.

    The lines of one turn of the event loop are written together, as each write wakes the reader of a pipe.
    """

    def __init__(self) -> None:
        self._file = sys.stdout.fileno()
        self._writable = select.poll()
        self._writable.register(self._file, select.POLLOUT)
        self._lines: list[str] = []  # of this turn
        self._rest = b""  # the unwritten end of a line that is written in part; it is written first
        self._lock = threading.Lock()  # libraries log from threads of their own
        atexit.register(self._write_out)

    def write(self, text: str) -> None:
        """Write a line at the end of the event loop's turn, or at once if no event loop runs."""
        with self._lock:
            self._lines.append(text)
            first = len(self._lines) == 1
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write_out()
        else:
            if first:
                loop.call_soon(self._write_out)

    def write_now(self, lines: list[str]) -> None:
        """Write lines at once, after those that the end of the turn would have written."""
        with self._lock:
            self._lines += lines
        self._write_out()

    def flush(self) -> None:
        """Do nothing: no line is held back for longer than a turn."""

    def _write_out(self) -> None:
        with self._lock:
            if not (self._lines or self._rest):
                return
            begun, lines, self._lines = self._rest, self._lines, []
            data = begun + "".join(lines).encode(errors="backslashreplace")
            left = len(data) - self._write(data)
            while left and lines and len(last := lines[-1].encode(errors="backslashreplace")) <= left:  # not begun
                left -= len(last)
                lines.pop()
                data = data[: -len(last)]
                LOG_LINES_DROPPED.inc()
            self._rest = data[len(data) - left :]

    def _write(self, data: bytes) -> int:
        """Write as much as is accepted, and return how many bytes that is."""
        sent = 0
        try:
            while sent < len(data) and self._writable.poll(0):
                sent += os.write(self._file, data[sent : sent + _CHUNK_BYTES])
        except OSError:  # the reader is gone
            pass
        return sent
