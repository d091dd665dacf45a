"""Measures the resources that a service uses, and detects leaks."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from faults.bench import SETTINGS
from harness.http import Client, request
from harness.postgres import Postgres
from harness.row import Row
from harness.service import Service
from harness.waiting import until

GROWTH_PERCENT = 2  # the promised limit
NOTHING_LEFT = "no descriptor, task, connection or place is left"
_SETTLE_SECONDS = 20
_CONNECTIONS = SETTINGS["database_pool_size"] + SETTINGS["database_stream_pool_size"]
_OWN = 1  # the harness' own connection is open while it reads the metrics
_METRICS = {
    "http_server_active_requests": 0,
    "http_server_active_streams": 0,
    "http_server_open_connections": _OWN,
    'db_client_connection_count{state="used"}': 0,
    "db_client_stream_connections": 0,
}
_TASKS = request("GET", "/v1/tasks")


@dataclass(frozen=True)
class Footprint:
    """Resource usage while no request is in flight.

    Attributes:
        memory: in MiB.
        descriptors: open files and sockets.
        connections: to the database.
        tasks: of the event loop.
        left: the values of metrics that should tell that nothing is left, and do not.
    """

    memory: float
    descriptors: int
    connections: int
    tasks: int
    left: Mapping[str, float]

    def since(self, early: "Footprint") -> str:
        """Describe the change since an earlier footprint."""
        return (
            f"memory {early.memory:.1f} to {self.memory:.1f} MiB ({self._growth(early):+.1f} %), "
            f"descriptors {early.descriptors} to {self.descriptors}, tasks {early.tasks} to {self.tasks}, "
            f"database connections {early.connections} to {self.connections}"
        )

    def judge(self, row: Row, early: "Footprint", *, judge_memory: bool, connections: float = _CONNECTIONS) -> None:
        """Check the growth since an earlier footprint.

        Args:
            row: gets what is broken.
            early: the earlier footprint.
            judge_memory: False in a short run, whose growth includes the warm-up.
            connections: how many there may be to the database.
        """
        if judge_memory:
            row.hold(self._growth(early) <= GROWTH_PERCENT, f"memory grew {self._growth(early):.1f} %")
        more = (self.descriptors - self.connections) - (early.descriptors - early.connections)
        row.hold(more <= 0, f"{more} descriptors more, beside the pool's")
        row.hold(self.tasks <= early.tasks, f"{self.tasks - early.tasks} tasks more")
        row.hold(self.connections <= connections, f"{self.connections} database connections")  # pools grow on demand
        for name, value in self.left.items():
            row.hold(False, f"`{name}` is {value:g}")

    def _growth(self, early: "Footprint") -> float:
        return (self.memory / early.memory - 1) * 100


async def footprint(service: Service, database: Postgres) -> Footprint:
    """Measure a service, after waiting some time for it to notice that its clients have disconnected."""

    async def is_idle() -> bool:
        return service.clients() == 0 and not await _left(service)

    with suppress(TimeoutError):  # what remains counts as a leak
        await until(is_idle, "no clients", _SETTLE_SECONDS)
    left = await _left(service)
    return Footprint(service.memory(), service.descriptors(), await database.connections(), await _tasks(service), left)


async def _left(service: Service) -> dict[str, float]:
    found = {name: await service.gauge(name) for name in _METRICS}
    return {name: value for name, value in found.items() if value > _METRICS[name]}


async def _tasks(service: Service) -> int:
    client = Client(service.port)
    answer = await client.send(_TASKS)
    client.close()
    return int(answer.body)
