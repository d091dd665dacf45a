"""What a service is made of. `app/service.py` says it in one object:

    SERVICE = Service(settings=Settings, routes=ROUTES, resources=[redis], background=[cancel_stale])

`python -m app`, the process manager, the tests' client and the OpenAPI document read it. The functions in it take what
they need by the types of their parameters: `Settings`, `Database`, `ClientSession`, and the type of each resource.
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import WRAPPER_ASSIGNMENTS
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar

from aiohttp import web
from aiohttp.typedefs import Middleware

from chassis.contract import Route
from chassis.errors import DependencyUnavailableError, Problem
from chassis.settings import Settings

Value = TypeVar("Value")
Parameters = ParamSpec("Parameters")

OpenResource: TypeAlias = Callable[..., AsyncIterator[Any]]
"""An asynchronous generator function: it opens a resource, yields it once, and closes it."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource whose health is checked. Without checks, the function alone stands in `Service.resources`.

    Attributes:
        open: the asynchronous generator function.
        healthy: a coroutine function that returns whether the resource works, or raises an error. It is called every
            5 seconds, for the metric `service_resource_healthy`.
        needed: True if the service is not ready while the resource is not healthy.
    """

    open: OpenResource
    healthy: Callable[..., Awaitable[bool]] | None = None
    needed: bool = False


@dataclass(frozen=True, kw_only=True)
class Background(Generic[Parameters]):
    """A coroutine function that runs beside requests, with what its supervisor has to know. It can be called as before.

    Attributes:
        function: the coroutine function.
        seconds: from the start of a run to the start of the next one; None if the function runs until the service ends.
        alone: True if one process of all pods runs it.
    """

    function: Callable[Parameters, Awaitable[None]]
    seconds: float | None = None
    alone: bool = False

    def __post_init__(self) -> None:
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ValueError(f"every({self.seconds}): give the seconds between two runs, more than 0: every(60)")
        # As `functools.update_wrapper` does, which cannot set the attributes of a frozen class.
        for name in WRAPPER_ASSIGNMENTS:
            object.__setattr__(self, name, getattr(self.function, name, None))
        object.__setattr__(self, "__wrapped__", self.function)

    def __call__(self, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Awaitable[None]:
        """Run the function once."""
        return self.function(*args, **kwargs)


def every(
    seconds: float, *, alone: bool = False
) -> Callable[[Callable[Parameters, Awaitable[None]]], Background[Parameters]]:
    """Run a coroutine function again and again: `@every(60, alone=True)`.

    Args:
        seconds: from the start of a run to the start of the next one, give or take a tenth, so that not all processes
            run at the same moment. A run that takes longer delays the next one.
        alone: True if one process of all pods runs it. Another one takes over within 16 seconds if that process dies.

    Raises:
        ValueError: `seconds` is not more than 0.
    """

    if not isinstance(seconds, int | float):
        raise TypeError("Say how often, in seconds: @every(60)")

    def decorate(function: Callable[Parameters, Awaitable[None]]) -> Background[Parameters]:
        return Background(function=function, seconds=seconds, alone=alone)

    return decorate


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a service is made of. Everything but `settings` and `routes` may be left out.

    Attributes:
        settings: the class of the service's settings.
        routes: the operations of the API.
        errors: how errors of the domain are answered, by class: `{OutOfStockError: Problem(409, "out-of-stock")}`.
        resources: opened in this order before the service is ready, and closed in reverse after the drain.
        background: coroutine functions that run beside requests, while the service is ready.
        commands: coroutine functions; `import_prices` is `python -m app import-prices`.
        middlewares: aiohttp's, between the limits and the handlers.
        configure: does to the aiohttp application of the API whatever aiohttp can do, before it starts.
    """

    settings: type[Settings]
    routes: Sequence[Route]
    errors: Mapping[type[Any], Problem] = field(default_factory=dict)
    resources: Sequence[OpenResource | Resource] = ()
    background: Sequence[Callable[..., Awaitable[None]]] = ()
    commands: Sequence[Callable[..., Awaitable[int | None]]] = ()
    middlewares: Sequence[Middleware] = ()
    configure: Callable[..., None] | None = None


def find_service(package: str) -> Service:
    """Return `SERVICE` of a package's module `service`.

    A package of before 0.3 has no such module. Its service is made of its `settings.Settings` and `routes.ROUTES`.

    Args:
        package: the name of the package, `app`.
    """
    if find_spec(f"{package}.service"):
        service: Service = import_module(f"{package}.service").SERVICE
        return service
    settings, routes = import_module(f"{package}.settings"), import_module(f"{package}.routes")
    return Service(settings=settings.Settings, routes=routes.ROUTES)


class Opened(Generic[Value]):
    """A resource in an aiohttp application: `request.config_dict[key_of(Redis)].value`."""

    def __init__(self, kind: type[Value], values: Mapping[type, Any]) -> None:
        self._kind, self._values = kind, values

    @property
    def value(self) -> Value:
        """The resource.

        Raises:
            DependencyUnavailableError: it is not open.
        """
        try:
            value: Value = self._values[self._kind]
        except KeyError:
            raise DependencyUnavailableError from None
        return value


_KEYS: dict[type, web.AppKey[Any]] = {}


def key_of(kind: type[Value]) -> "web.AppKey[Opened[Value]]":
    """Return the key of a resource in `request.app` and `request.config_dict`, for middlewares and aiohttp's handlers.

    Args:
        kind: the resource's type.
    """
    if kind not in _KEYS:
        _KEYS[kind] = web.AppKey(kind.__qualname__, Opened)
    return _KEYS[kind]
