"""Opens what a service's functions are given, for a command: once, without the retries of a service that starts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import ClientSession

from chassis.database import Database
from chassis.http.client import client_session
from chassis.postgres.pool import Pool
from chassis.resources.injection import Injector
from chassis.resources.opening import Resources, injector_of
from chassis.service import Service
from chassis.settings import Settings
from chassis.telemetry.health import Health
from chassis.telemetry.tracing_option import tracing_of


@asynccontextmanager
async def open_once(service: Service, settings: Settings) -> AsyncIterator[Injector]:
    """Open the database's pool, the client and the service's resources until the block ends.

    Raises:
        Exception: what a resource raises, with a note that names the resource.
    """
    injector, tracing = injector_of(service, settings), tracing_of(settings)
    resources = Resources(service.resources, injector, settings.resource_timeout_seconds, Health())
    async with AsyncExitStack() as opened:
        if tracing:
            await opened.enter_async_context(tracing)
        of_calls = [tracing.of_calls] if tracing else []
        client = await opened.enter_async_context(client_session(settings.client_timeout_seconds, of_calls))
        database = await opened.enter_async_context(Pool(settings))
        database.mark_schema_current()
        injector.values |= {Database: database, ClientSession: client}
        opened.push_async_callback(resources.close)
        await resources.open()
        yield injector
