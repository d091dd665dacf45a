"""The functions of `Service.background`, checked when the service is put together."""

import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from chassis.resources.injection import Injector, name_of
from chassis.service import Background


class Entry:
    """A background function with its schedule.

    Args:
        background: a coroutine function, or a `Background`.
        injector: gives the function its parameters.

    Attributes:
        name: the function's name, for logs, metrics and its lease.
        seconds: from the start of a run to the start of the next one; None if a run has no end.
        alone: True if one process of all pods runs it.

    Raises:
        TypeError: it is not a coroutine function, or a parameter cannot be given; the message names the function.
    """

    def __init__(self, background: Callable[..., Awaitable[None]], injector: Injector) -> None:
        self.seconds, self.alone, self._function = None, False, background
        if isinstance(background, Background):
            self.seconds, self.alone, self._function = background.seconds, background.alone, background.function
        if not inspect.iscoroutinefunction(self._function) or not hasattr(self._function, "__qualname__"):
            named = name_of(self._function) if hasattr(self._function, "__qualname__") else repr(self._function)
            raise TypeError(f"{named}: is not a coroutine function: write it as `async def`")
        self.name: str = self._function.__name__
        self._injector, self._parameters = injector, injector.parameters(self._function)

    async def run(self) -> None:
        """Run the function once.

        Raises:
            DependencyUnavailableError: a resource that it needs is not open.
        """
        await self._function(**self._injector.arguments(self._parameters))


def entries_of(background: Sequence[Callable[..., Awaitable[None]]], injector: Injector) -> list[Entry]:
    """Check the functions of `Service.background`.

    Raises:
        TypeError: as for `Entry`.
        ValueError: two functions have the same name.
    """
    entries = [Entry(each, injector) for each in background]
    if several := [name for name, count in Counter(each.name for each in entries).items() if count > 1]:
        raise ValueError(f"Several background functions are called {', '.join(several)}: give each its own name.")
    return entries
