"""Ordinary clients beside a fault: their requests should take about as long as without it."""

import asyncio

from harness.http import request
from harness.items import create_item
from harness.load import closed_loop
from harness.record import Record, percentile
from harness.row import Row
from harness.service import Service

TIMES_P99 = 2  # the promised limit
_CLIENTS = 4
LOAD = f"{_CLIENTS} keep-alive clients that read at full speed"
_WARM_UP_SECONDS = 2


class Others:
    """Clients that read an item at full speed.

    Attributes:
        without: the responses without the fault.
        among: the responses during the fault.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self.without, self.among = Record(), Record()

    async def measure_without(self, seconds: float) -> None:
        """Warm up, and measure without the fault."""
        self._read = request("GET", f"/v1/items/{await create_item(self._service.port)}")
        await self._run(Record(), _WARM_UP_SECONDS)
        await self._run(self.without, seconds)

    async def measure_among(self, seconds: float) -> None:
        """Measure during the fault."""
        await self._run(self.among, seconds)

    def judge(self, row: Row, most_seconds: float | None = None) -> None:
        """Add the figures to a row, and compare them.

        Args:
            row: gets the figures, and what is broken.
            most_seconds: a bound for p99, if it cannot be one that is relative to the p99 without the fault.
        """
        without, among = (percentile(record.seconds(), 99) for record in (self.without, self.among))
        row.requests, row.failures = len(self.among.outcomes), self.among.failures
        told = f"p99 of the others {without * 1000:.1f} ms without, {among * 1000:.1f} ms among"
        row.measured = "; ".join(filter(None, [told, row.measured]))
        bound = f"{most_seconds * 1000:g} ms" if most_seconds else f"{TIMES_P99} ×"
        row.promise = f"p99 of the others at most {bound}, none failed; {row.promise}"
        row.hold(self.among.failures == 0, f"others failed: {dict(self.among.errors)}")
        row.hold(among <= (most_seconds or TIMES_P99 * without), f"p99 of the others {among / without:.1f} ×")

    async def _run(self, record: Record, seconds: float) -> None:
        async with closed_loop(self._service.port, lambda: self._read, _CLIENTS, record):
            await asyncio.sleep(seconds)
