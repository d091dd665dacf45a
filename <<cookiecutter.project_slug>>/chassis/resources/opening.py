"""Opens a service's resources before it is ready, watches their health, and closes them."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Never

import structlog
from aiohttp import ClientSession

from chassis.concurrency.cancellation import is_cancelled
from chassis.database import Database
from chassis.resources.injection import Injector, name_of
from chassis.resources.lifetime import Lifetime, in_words, type_of
from chassis.service import OpenResource, Resource, Service
from chassis.settings import Settings
from chassis.telemetry.health import Health
from chassis.telemetry.metrics import RESOURCE_HEALTHY

log = structlog.get_logger()

_CHECK_SECONDS = 5
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0


class Resources:
    """A service's resources, opened in order and closed in reverse.

    Args:
        resources: as in `Service.resources`.
        injector: has what they need, and gets their values.
        seconds: the time limit of opening and of closing each.
        health: is held back while a resource that is needed is not healthy.

    Raises:
        TypeError: a function asks for what there is not before it.
    """

    def __init__(
        self, resources: Iterable[OpenResource | Resource], injector: Injector, seconds: float, health: Health
    ) -> None:
        self._injector, self._seconds, self._health = injector, seconds, health
        self._lifetimes = [
            Lifetime(each if isinstance(each, Resource) else Resource(open=each), injector, seconds)
            for each in resources
        ]
        for position, each in enumerate(self._lifetimes):
            later = {other.type: other.name for other in self._lifetimes[position:]}
            for name, kind in each.parameters.items():
                if kind in later:
                    raise TypeError(
                        f"{name_of(each.resource.open)}: its parameter {name!r} is opened after it, by {later[kind]}. "
                        "Name that resource first."
                    )
            if each.resource.healthy:
                injector.parameters(each.resource.healthy)

    async def open(self) -> None:
        """Open all of them once.

        Raises:
            Exception: what one of them raises, with a note that names it.
        """
        for each in self._lifetimes:
            try:
                await each.open()
            except Exception as error:
                error.add_note(f"while opening the resource {each.name}")
                raise

    async def open_until_it_works(self) -> None:
        """Open all of them, in order; try one that fails again, with longer and longer pauses."""
        for each in self._lifetimes:
            pause, logged = _FIRST_PAUSE_SECONDS, ""
            while True:
                try:
                    await each.open()
                    break
                except Exception as error:  # the next attempt may succeed
                    reason = f"the resource {each.name}: {in_words(error)}"
                if reason != logged:
                    log.warning("not_ready", waiting_for=reason)
                    logged = reason
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def watch(self) -> Never:
        """Check the health of those that tell it, until cancelled."""
        while True:
            for each in self._lifetimes:
                if each.resource.healthy:
                    await self._check(each, each.resource.healthy)
            await asyncio.sleep(_CHECK_SECONDS)

    async def _check(self, lifetime: Lifetime, check: Callable[..., Awaitable[bool]]) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                found = await check(**self._injector.arguments(self._injector.parameters(check)))
            healthy, reason = found is True, "it says so" if found is False else f"it returns {found!r} and not True"
        except TimeoutError:
            healthy, reason = False, f"no answer within {self._seconds:g} s"
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            healthy, reason = False, "it awaits something that was cancelled"
        except Exception as error:  # whatever it is: it is logged, and the next check may succeed
            healthy, reason = False, in_words(error)
        RESOURCE_HEALTHY.labels(lifetime.name).set(healthy)
        if healthy is lifetime.healthy:
            return
        lifetime.healthy = healthy
        if healthy:
            log.info("resource_healthy", resource=lifetime.name)
        else:
            log.warning("resource_not_healthy", resource=lifetime.name, reason=reason)
        if lifetime.resource.needed:
            self._health.need(lifetime.name, healthy=healthy)

    async def close(self) -> None:
        """Close all of them, the last one first."""
        for each in reversed(self._lifetimes):
            await each.close()


def injector_of(service: Service, settings: Settings | None = None) -> Injector:
    """Return what gives a service's functions their parameters; database, client and resources have no value yet.

    Args:
        service: what the service is made of.
        settings: its settings, if they are known.
    """
    classes = {kind for kind in service.settings.__mro__ if issubclass(kind, Settings)}
    given = {Database, ClientSession, *classes}
    injector = Injector({*given, *types_of(service.resources, given)})
    if settings:
        injector.values |= dict.fromkeys(classes, settings)
    return injector


def types_of(resources: Iterable[OpenResource | Resource], given: Iterable[type]) -> list[type]:
    """Return the types of resources.

    Args:
        resources: as in `Service.resources`.
        given: types that there are already.

    Raises:
        TypeError: two have one type, or a function does not tell its type; the message names the functions.
    """
    functions = [each.open if isinstance(each, Resource) else each for each in resources]
    types = [type_of(function) for function in functions]
    counted = Counter([*types, *given])
    for kind in types:
        if counted[kind] > 1:
            others = [name_of(each) for each, other in zip(functions, types, strict=True) if other is kind]
            raise TypeError(
                f"{' and '.join(others)}: there are several values of the type {kind.__qualname__}, and parameters get "
                "theirs by type. Yield a subclass, or a class of your own."
            )
    return types
