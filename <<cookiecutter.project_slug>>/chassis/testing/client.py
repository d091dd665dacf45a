"""Clients of the service under test, which runs in the test's process and answers on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

from aiohttp import web
from aiohttp.test_utils import BaseTestServer, TestClient

from chassis.application import Application, create_application
from chassis.background.run import run_once
from chassis.resources.lifetime import type_of
from chassis.server.command_arguments import Command, CommandFunction
from chassis.server.runner import Runner
from chassis.service import OpenResource, Resource, Service
from chassis.settings import Settings

_READY_SECONDS = 10


class _Server(BaseTestServer):
    """Serves an application as `python -m app` does, with the same limits on connections."""

    def __init__(self, application: Application) -> None:
        super().__init__()
        self.application = application

    async def _make_runner(self, **_: Any) -> web.BaseRunner:
        return Runner(self.application.api, self.application.health, self.application.settings)


class Client(TestClient[web.Request, web.Application]):
    """A client of the service: `await client.get("/v1/items")`. It sends requests to a real socket.

    Attributes:
        application: the service.
    """

    def __init__(self, application: Application) -> None:
        super().__init__(_Server(application))  # type: ignore[arg-type]  # its second type is of servers with an app
        self.application = application

    async def run_background(self, function: Callable[..., Awaitable[None]]) -> None:
        """Run one round of background work, without its schedule: `await client.run_background(cancel_stale)`.

        Args:
            function: as in `Service.background`.

        Raises:
            Exception: what the function raises.
        """
        await run_once(function, self.application.injector)

    async def run_command(self, function: CommandFunction, *argv: str) -> int:
        """Run a command as `python -m app` does: `await client.run_command(import_prices, "prices.csv", "--dry-run")`.

        Args:
            function: as in `Service.commands`.
            argv: the command's arguments.

        Returns:
            The exit status.

        Raises:
            ValueError: the arguments are wrong; the message is that of the command line.
            Exception: what the function raises.
        """
        injector = self.application.injector
        command = Command(function, injector)
        return await command.run(injector.arguments(command.given) | command.parsed(argv))


class MakeClient(Protocol):
    """The fixture `make_client`: starts the service with changed settings, and returns a client of it."""

    async def __call__(
        self, resources: Mapping[type, Any] | None = None, /, *, ready: bool = True, **changes: object
    ) -> Client:
        """Start the service: `client = await make_client({Redis: FakeRedis()}, max_in_flight=1)`.

        Its background work does not run by itself. Connecting to PostgreSQL may take as long as the deadline of a
        request allows, unless the test sets `database_connect_timeout_seconds`.

        Args:
            resources: values in the place of the service's own resources, by their types.
            ready: whether to wait until the service is ready.
            changes: values of settings by the names of their fields.

        Raises:
            pydantic.ValidationError: there is no such setting, or its value breaks its rule.
            LookupError: the service has no resource of such a type.
            TimeoutError: the service does not become ready in time.
        """


AnySettings = TypeVar("AnySettings", bound=Settings)


def changed_settings(settings: AnySettings, **changes: object) -> AnySettings:
    """Return a copy of the settings with other values, which are validated.

    Args:
        settings: the settings to copy.
        changes: values of settings by the names of their fields.

    Raises:
        pydantic.ValidationError: there is no such setting, or its value breaks its rule.
    """
    return type(settings).model_validate(settings.model_dump() | changes)


def examples_of(settings: type[Settings]) -> dict[str, Any]:
    """Return values for the settings that have no default, except the database's address: their first examples.

    Args:
        settings: the class of the service's settings.

    Raises:
        LookupError: a setting has neither a default nor an example; the message names it.
    """
    required = {name: field for name, field in settings.model_fields.items() if field.is_required()}
    del required["database_url"]
    if lacking := [name for name, field in required.items() if not field.examples]:
        raise LookupError(
            f"Tests need a value for {', '.join(lacking)}: give each an example in app/settings.py, "
            f'such as {lacking[0]}: SecretStr = Field(examples=["for tests"]).'
        )
    return {name: field.examples[0] for name, field in required.items() if field.examples}


@asynccontextmanager
async def clients_of(
    service: Service, settings: Settings, fakes: Mapping[type, Any] = MappingProxyType({})
) -> AsyncIterator[MakeClient]:
    """Yield the function of the fixture `make_client`; the services that it has started end with the block.

    Args:
        service: what the service is made of.
        settings: its settings, if a test changes none.
        fakes: values in the place of the service's own resources, if a test gives no others.
    """
    async with AsyncExitStack() as started:

        async def make(
            resources: Mapping[type, Any] | None = None, /, *, ready: bool = True, **changes: object
        ) -> Client:
            under_test = replace(_with_resources(service, {**fakes, **(resources or {})}), background=())
            changed = changed_settings(settings, **changes)
            if "database_connect_timeout_seconds" not in changes:
                changed = _patient(changed)
            client = Client(create_application(under_test, changed))
            await started.enter_async_context(client)
            if ready:
                async with asyncio.timeout(_READY_SECONDS):
                    await client.application.health.until_started()
            return client

        yield make


def _patient(settings: Settings) -> Settings:
    """Let a connection to PostgreSQL take all the time that a request has left: a machine that runs tests is busy."""
    other_waits = settings.database_acquire_timeout_seconds + settings.database_command_timeout_seconds
    spare = settings.request_timeout_seconds - other_waits
    longest = max(settings.database_connect_timeout_seconds, spare * 0.9)  # the sum must stay below the deadline
    return changed_settings(settings, database_connect_timeout_seconds=longest)


def _with_resources(service: Service, values: Mapping[type, Any]) -> Service:
    """Return the service with other values in the place of its resources."""
    functions = {type_of(each.open if isinstance(each, Resource) else each): each for each in service.resources}
    if unknown := values.keys() - functions.keys():
        there = ", ".join(kind.__qualname__ for kind in functions) or "none"
        raise LookupError(f"There is no resource of {unknown} in the service to replace; there is: {there}.")
    return replace(
        service,
        resources=[_giving(kind, values[kind]) if kind in values else each for kind, each in functions.items()],
    )


def _giving(kind: type, value: Any) -> OpenResource:
    async def give() -> AsyncIterator[Any]:
        yield value

    give.__annotations__["return"] = AsyncIterator[kind]  # type: ignore[valid-type]
    return give
