"""The metrics of requests. Ten times a second they are brought up to date: see docs/decisions/0011 of the template."""

import asyncio
from typing import Never

from chassis.telemetry.metrics import ACTIVE_REQUESTS, request_duration

_INTERVAL_SECONDS = 0.1


class RequestMetrics:
    """What the metrics of requests do not tell yet.

    Attributes:
        active: the number of requests that are being answered now.
        ended: the method, the route, the status and the seconds of requests, as `labels` has them.
    """

    def __init__(self) -> None:
        self.active = self._told_active = 0
        self.ended = list[tuple[str, str, int, float]]()

    def update(self) -> None:
        """Bring the metrics up to date."""
        ACTIVE_REQUESTS.inc(self.active - self._told_active)
        self._told_active = self.active
        ended, self.ended = self.ended, []
        for method, route, status, seconds in ended:
            request_duration(method, route, f"{status // 100}xx").observe(seconds)


REQUESTS = RequestMetrics()
"""Of this process, as all metrics are."""


async def measure_requests() -> Never:
    """Keep the metrics of requests up to date until cancelled."""
    try:
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            REQUESTS.update()
    finally:
        REQUESTS.update()
