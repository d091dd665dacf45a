"""The example service, served like `python -m app`: both ports, over real sockets."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from app.settings import Settings
from chassis.application import Application, create_application
from chassis.database import Connection
from chassis.server.serve import serve
from chassis.server.signals import Shutdown
from chassis.server.sockets import listen
from tests.chassis.example import ROUTES


@dataclass(frozen=True)
class Running:
    """A service in this process, with a client for each port and the means to stop it."""

    api: aiohttp.ClientSession
    internal: aiohttp.ClientSession
    port: int
    application: Application
    stop: Shutdown
    served: asyncio.Task[None]

    async def until_ready(self) -> None:
        """Wait until /readyz returns 200."""
        async with asyncio.timeout(10):
            while (await self.internal.get("/readyz")).status != 200:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(settings: Settings, configure: Callable[[web.Application], object]) -> AsyncIterator[Running]:
    """Serve the example until the block ends."""
    with listen("127.0.0.1", 0) as api, listen("127.0.0.1", 0) as internal:
        ports = api.getsockname()[1], internal.getsockname()[1]
        application, stop = create_application(ROUTES, settings), Shutdown()
        configure(application.api)
        served = asyncio.create_task(serve(application, [api], [internal], stop))
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{ports[0]}") as api_client,
            aiohttp.ClientSession(f"http://127.0.0.1:{ports[1]}") as internal_client,
        ):
            yield Running(api_client, internal_client, ports[0], application, stop, served)
            stop.request(immediate=True)
            await served


Start = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start(settings: Settings) -> AsyncIterator[Start]:
    """A function that starts the example with changed settings, and waits until it is ready unless `wait` is false."""
    async with AsyncExitStack() as stack:

        async def begin(
            *, wait: bool = True, configure: Callable[[web.Application], object] = lambda _: None, **changes: object
        ) -> Running:
            service = await stack.enter_async_context(running(settings.model_copy(update=changes), configure))
            if wait:
                await service.until_ready()
            return service

        yield begin


@pytest.fixture
async def service(start: Start) -> Running:
    """The example with the default settings, ready."""
    return await start()


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A temporary folder whose path is short enough for a socket, and which the user that runs PostgreSQL may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    """A connection to the service's database, with the table `notes`, which handlers write to."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE notes (text text)")
    yield connection
    await connection.execute("DROP TABLE notes")
    await connection.close()
