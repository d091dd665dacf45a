"""Measures the resources that a service uses, and detects leaks."""

from contextlib import suppress
from dataclasses import dataclass

from faults.bench import SETTINGS
from harness.postgres import Postgres
from harness.row import Row
from harness.service import Service
from harness.waiting import until

GROWTH_PERCENT = 2  # the promised limit
_SETTLE_SECONDS = 20
_POOL_SIZE = SETTINGS["database_pool_size"]


@dataclass(frozen=True)
class Footprint:
    """Resource usage while no request is in flight.

    Attributes:
        memory: in MiB.
        descriptors: open files and sockets.
        connections: to the database.
        active: requests in flight, from /metrics.
    """

    memory: float
    descriptors: int
    connections: int
    active: float

    def since(self, early: "Footprint") -> str:
        """Describe the change since an earlier footprint."""
        return (
            f"memory {early.memory:.1f} to {self.memory:.1f} MiB ({self._growth(early):+.1f} %), "
            f"descriptors {early.descriptors} to {self.descriptors}, "
            f"database connections {early.connections} to {self.connections}"
        )

    def judge(self, row: Row, early: "Footprint", *, judge_memory: bool) -> None:
        """Check the growth since an earlier footprint. Do not judge memory in a short run: it includes warm-up."""
        if judge_memory:
            row.hold(self._growth(early) <= GROWTH_PERCENT, f"memory grew {self._growth(early):.1f} %")
        more = (self.descriptors - self.connections) - (early.descriptors - early.connections)
        row.hold(more <= 0, f"{more} descriptors more, beside the pool's")
        row.hold(self.connections <= _POOL_SIZE, f"{self.connections} database connections")  # the pool grows on demand
        row.hold(self.active == 0, f"{self.active:g} requests are left")

    def _growth(self, early: "Footprint") -> float:
        return (self.memory / early.memory - 1) * 100


async def footprint(service: Service, database: Postgres) -> Footprint:
    """Measure a service, after waiting some time for it to notice that its clients have disconnected."""

    async def is_idle() -> bool:
        return service.clients() == 0 and await service.gauge("http_server_active_requests") == 0

    with suppress(TimeoutError):  # remaining clients and requests count as a leak
        await until(is_idle, "no clients", _SETTLE_SECONDS)
    active = await service.gauge("http_server_active_requests")
    return Footprint(service.memory(), service.descriptors(), await database.connections(), active)
