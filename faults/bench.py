"""The environment of an experiment: scale, folder, and servers that are stopped at its end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from app.settings import Settings
from faults.commands import APP
from harness.commands import run_command
from harness.experiments import Place
from harness.postgres import Postgres
from harness.row import Row
from harness.service import Service
from harness.toxic_proxy import ToxicProxy, toxic_proxy

SETTINGS: dict[str, float] = {
    name: each.default
    for name, each in Settings.model_fields.items()
    if isinstance(each.default, int | float) and not isinstance(each.default, bool) and not name.endswith("port")
}
"""The service's default durations and limits."""
SLACK_SECONDS = 0.25
"""Tolerance for time limits on a slow machine."""


@dataclass
class Bench(Place):
    """The environment of an experiment.

    Attributes:
        folder: for files, readable by PostgreSQL's user.
    """

    folder: Path

    async def postgres(
        self, *, inside: tuple[str, ...] = (), tablespace: Path | None = None, **options: str | int
    ) -> Postgres:
        """Start a server with an empty, migrated database; for `inside` and `options` see `Postgres`."""
        server = self._server(options, inside)
        await server.set_up(tablespace)
        await run_command(*APP, "migrate", environment={"DATABASE_URL": server.url})
        return server

    async def standby(self, primary: Postgres) -> Postgres:
        """Start a standby that streams from a primary."""
        server = self._server({}, ())
        await server.copy(primary)
        await server.start()
        return server

    async def proxy(self, url: str) -> ToxicProxy:
        """Start a proxy to a database that can inject network faults."""
        return await self.started.enter_async_context(toxic_proxy(url))

    def service(self, database_url: str, command: tuple[str, ...] = APP, **settings: str | float) -> Service:
        """Return a service that is not started yet."""
        service = Service(Path.cwd(), self.logs, command, {"DATABASE_URL": database_url, **settings})
        self.started.push_async_callback(service.end)
        return service

    async def running_service(
        self, database_url: str, command: tuple[str, ...] = APP, **settings: str | float
    ) -> Service:
        """Start a service, and wait until it is ready."""
        service = self.service(database_url, command, **settings)
        await service.start()
        await service.until_ready()
        return service

    def _server(self, options: Mapping[str, str | int], inside: tuple[str, ...]) -> Postgres:
        server = Postgres(self.folder, self.logs, options, inside)
        self.started.push_async_callback(server.end)
        return server


Scenario: TypeAlias = Callable[[Bench], Awaitable[Row]]
"""An experiment. It raises an exception if it cannot continue."""
