"""What requests leave behind in the log and the metrics, told for all requests of a turn of the event loop together."""

import asyncio
from contextvars import Context, copy_context
from typing import NamedTuple

from chassis.logs import log_request
from chassis.metrics import ACTIVE_REQUESTS, request_duration


class _Ended(NamedTuple):
    context: Context  # what its log line says besides is bound in it
    method: str
    route: str
    status: int
    seconds: float
    size: int | None


class Telemetry:
    """Counts requests, times them, and writes a line about each.

    At the end of a turn, as the code for it is at hand in the processor's caches from the second request on: told one
    at a time, in between all else that requests need, it takes twice the time.
    """

    def __init__(self) -> None:
        self._active = 0
        self._ended: list[_Ended] = []
        self._is_due = False

    def begin(self) -> None:
        """A request has come."""
        self._active += 1
        self._tell_soon()

    def end(self, method: str, route: str, status: int, seconds: float, size: int | None) -> None:
        """A request is over; it is told with what is bound to its context now.

        Args:
            method: one of HTTP's.
            route: as it is written in the routes.
            status: of the answer.
            seconds: from the request's head to its answer.
            size: of the answer's body, in bytes, where it is known.
        """
        self._active -= 1
        self._ended.append(_Ended(copy_context(), method, route, status, seconds, size))
        self._tell_soon()

    def _tell_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        ended, self._ended, self._is_due = self._ended, [], False
        ACTIVE_REQUESTS.set(self._active)
        for context, method, route, status, seconds, size in ended:
            request_duration(method, route, f"{status // 100}xx").observe(seconds)
            context.run(log_request, method, route, status, seconds, size)
