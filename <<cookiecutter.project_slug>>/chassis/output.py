"""Standard output without waiting: whoever reads it may hang or be gone, and the event loop must not stop for that."""

import os
import select
import sys
import threading

from chassis.metrics import LOG_LINES_DROPPED

# As much as a pipe that is said to be writable takes without blocking.
_CHUNK_BYTES = select.PIPE_BUF


class Output:
    """A stream for whole lines. One that cannot be begun now is dropped, and counted."""

    def __init__(self) -> None:
        self._file = sys.stdout.fileno()
        self._writable = select.poll()
        self._writable.register(self._file, select.POLLOUT)
        self._rest = b""  # of a line that has begun, which is written before the next one
        self._turn = threading.Lock()  # libraries log from threads of their own

    def write(self, line: str) -> None:
        """Writes a line, or drops it."""
        data = line.encode(errors="backslashreplace")
        with self._turn:
            self._rest = self._written(self._rest)
            rest = data if self._rest else self._written(data)
            if len(rest) == len(data):
                LOG_LINES_DROPPED.inc()
            else:
                self._rest = rest

    def flush(self) -> None:
        """Nothing is held back."""

    def _written(self, data: bytes) -> bytes:
        """Writes what goes, and returns the rest."""
        try:
            while data and self._writable.poll(0):
                data = data[os.write(self._file, data[:_CHUNK_BYTES]) :]
        except OSError:  # nobody reads it any more
            pass
        return data
