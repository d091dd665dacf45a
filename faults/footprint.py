"""What a service takes of the machine, and whether that grows."""

import asyncio
from dataclasses import dataclass

from faults.bench import SETTINGS
from faults.postgres import Postgres
from faults.processes import POLL_SECONDS
from faults.row import Row
from faults.service import Service

GROWTH_PERCENT = 2  # the promise
_SETTLE_SECONDS = 20
_POOL_SIZE = SETTINGS["database_pool_size"]


@dataclass(frozen=True)
class Footprint:
    """Taken while no request is on its way.

    Attributes:
        memory: MiB.
        descriptors: open files and sockets.
        connections: of the database.
        active: requests that are being answered, as /metrics has it.
    """

    memory: float
    descriptors: int
    connections: int
    active: float

    def since(self, early: "Footprint") -> str:
        """What has become of an earlier one, in words."""
        return (
            f"memory {early.memory:.1f} to {self.memory:.1f} MiB ({self._growth(early):+.1f} %), "
            f"descriptors {early.descriptors} to {self.descriptors}, "
            f"database connections {early.connections} to {self.connections}"
        )

    def judge(self, row: Row, early: "Footprint", *, judge_memory: bool) -> None:
        """Holds a row against it; a short run's memory tells no growth from warming up."""
        if judge_memory:
            row.hold(self._growth(early) <= GROWTH_PERCENT, f"memory grew {self._growth(early):.1f} %")
        more = (self.descriptors - self.connections) - (early.descriptors - early.connections)
        row.hold(more <= 0, f"{more} descriptors more, beside the pool's")
        row.hold(self.connections <= _POOL_SIZE, f"{self.connections} database connections")  # it may yet fill
        row.hold(self.active == 0, f"{self.active:g} requests are left")

    def _growth(self, early: "Footprint") -> float:
        return (self.memory / early.memory - 1) * 100


async def footprint(service: Service, database: Postgres) -> Footprint:
    """Waits, for a while, until the service has seen that its clients are gone."""
    try:
        async with asyncio.timeout(_SETTLE_SECONDS):
            while await _has_clients(service):
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        pass  # they are counted as what is left
    active = await service.gauge("http_server_active_requests")
    return Footprint(service.memory(), service.descriptors(), await database.connections(), active)


async def _has_clients(service: Service) -> bool:
    return service.clients() > 0 or await service.gauge("http_server_active_requests") > 0
