"""What an experiment has at hand: a scale, a folder, and the servers that end with it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from app.settings import Settings
from tests.chassis.toxic_proxy import ToxicProxy, toxic_proxy

from faults.postgres import Postgres
from faults.row import Row
from faults.service import APP, Service, migrate

SETTINGS: dict[str, float] = {
    name: each.default
    for name, each in Settings.model_fields.items()
    if isinstance(each.default, int | float) and not isinstance(each.default, bool) and not name.endswith("port")
}
"""The service's defaults: durations and bounds."""
SLACK_SECONDS = 0.25
"""What a slow machine may add to a bound."""


@dataclass
class Bench:
    """Where an experiment runs.

    Attributes:
        quick: whether it is scaled down, to try the harness.
        folder: for files; PostgreSQL's user may read it.
        logs: where the processes' output goes.
        status: how far it is, shown now and again.
        started: what ends with the experiment.
    """

    quick: bool
    folder: Path
    logs: Path
    status: str = "starting"
    started: AsyncExitStack = field(default_factory=AsyncExitStack)

    def count(self, full: int, quick: int) -> int:
        """How many: of the full run, or of the quick one."""
        return quick if self.quick else full

    async def postgres(
        self, *, inside: tuple[str, ...] = (), tablespace: Path | None = None, **options: str | int
    ) -> Postgres:
        """A running server with an empty, migrated database; `inside` and `options` as `Postgres` takes them."""
        server = self._server(options, inside)
        await server.create()
        await server.start()
        await server.make_database(tablespace)
        await migrate(server.url)
        return server

    async def standby(self, primary: Postgres) -> Postgres:
        """A running standby that streams from a primary."""
        server = self._server({}, ())
        await server.copy(primary)
        await server.start()
        return server

    async def proxy(self, url: str) -> ToxicProxy:
        """A way to a database that can be made to fail."""
        return await self.started.enter_async_context(toxic_proxy(url))

    def service(self, database_url: str, command: tuple[str, ...] = APP, **settings: str | float) -> Service:
        """A service that is not started yet."""
        service = Service(self.logs, command, {"DATABASE_URL": database_url, **settings})
        self.started.push_async_callback(service.end)
        return service

    async def running_service(
        self, database_url: str, command: tuple[str, ...] = APP, **settings: str | float
    ) -> Service:
        """A service that is ready."""
        service = self.service(database_url, command, **settings)
        await service.start()
        await service.until_ready()
        return service

    def _server(self, options: Mapping[str, str | int], inside: tuple[str, ...]) -> Postgres:
        server = Postgres(self.folder, self.logs, options, inside)
        self.started.push_async_callback(server.end)
        return server


Scenario: TypeAlias = Callable[[Bench], Awaitable[Row]]
"""An experiment; one that cannot go on raises."""
