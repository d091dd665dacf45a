"""Standard output without waiting: whoever reads it may hang or be gone, and the event loop must not stop for that."""

import asyncio
import atexit
import os
import select
import sys
import threading

from chassis.metrics import LOG_LINES_DROPPED

# As much as a pipe that is said to be writable takes without blocking.
_CHUNK_BYTES = select.PIPE_BUF


class Output:
    """A stream for whole lines. One that cannot be begun now is dropped, and counted.

    The lines of one turn of the event loop are written together: each write wakes whoever waits at the other end of a
    pipe, which takes as long as half of a request.
    """

    def __init__(self) -> None:
        self._file = sys.stdout.fileno()
        self._writable = select.poll()
        self._writable.register(self._file, select.POLLOUT)
        self._lines: list[bytes] = []  # of this turn
        self._rest = b""  # of a line that has begun, which is written before the next one
        self._turn = threading.Lock()  # libraries log from threads of their own
        atexit.register(self._write_out)

    def write(self, text: str) -> None:
        """Writes a line at the end of this turn of the event loop, or at once where there is none; or drops it."""
        with self._turn:
            self._lines.append(text.encode(errors="backslashreplace"))
            first = len(self._lines) == 1
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write_out()
        else:
            if first:
                loop.call_soon(self._write_out)

    def flush(self) -> None:
        """Nothing is held back for longer than a turn."""

    def _write_out(self) -> None:
        with self._turn:
            begun, *lines = self._rest, *self._lines
            self._lines = []
            left = self._written(begun + b"".join(lines))
            while lines and len(lines[-1]) <= left:  # not begun
                left -= len(lines.pop())
                LOG_LINES_DROPPED.inc()
            begun = lines[-1] if lines else begun
            self._rest = begun[len(begun) - left :]

    def _written(self, data: bytes) -> int:
        """Writes what goes, and returns how many bytes are left."""
        sent = 0
        try:
            while sent < len(data) and self._writable.poll(0):
                sent += os.write(self._file, data[sent : sent + _CHUNK_BYTES])
        except OSError:  # nobody reads it any more
            pass
        return len(data) - sent
