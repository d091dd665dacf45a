"""Gives functions what they need, by the types of their parameters."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, get_type_hints

from chassis.errors import DependencyUnavailableError


class Injector:
    """Values by type. Their types are known when a service is put together, the values while it runs.

    Args:
        types: the types that parameters may have.

    Attributes:
        types: the same.
        values: the values that are there now, by type.
    """

    def __init__(self, types: Collection[type]) -> None:
        self.types = frozenset(types)
        self.values: dict[type, Any] = {}

    def parameters(self, function: Callable[..., Any], *, skip: Collection[str] = ()) -> dict[str, type]:
        """Return the types of a function's parameters, by name.

        Args:
            function: the function.
            skip: names of parameters that somebody else gives.

        Raises:
            TypeError: a parameter has no annotation, or nothing has its type; the message names the function, the
                parameter and the types that there are.
        """
        name, hints = name_of(function), get_type_hints(function)
        found: dict[str, Any] = {}
        for parameter in inspect.signature(function).parameters:
            if parameter in skip:
                continue
            if parameter not in hints:
                raise TypeError(f"{name}: annotate the parameter {parameter!r}, it is given by its type")
            found[parameter] = hints[parameter]
        self.check(function, found)
        return found

    def check(self, function: Callable[..., Any], parameters: Mapping[str, Any]) -> None:
        """Raise a TypeError, as `parameters` does, unless there is something for each of a function's parameters."""
        for parameter, kind in parameters.items():
            if kind not in self.types:
                raise TypeError(
                    f"{name_of(function)}: nothing gives the parameter {parameter!r}, as there is no {_words(kind)}. "
                    f"There is: {', '.join(sorted(set(map(_words, self.types))))}."
                )

    def arguments(self, parameters: Mapping[str, type]) -> dict[str, Any]:
        """Return the values for parameters, by name.

        Args:
            parameters: as `parameters` returns them.

        Raises:
            DependencyUnavailableError: one of them is not there now, such as a resource that is not open.
        """
        try:
            return {name: self.values[kind] for name, kind in parameters.items()}
        except KeyError as error:
            raise DependencyUnavailableError from not_open(error)


def not_open(error: KeyError) -> LookupError:
    """Return the reason in words why there is no value of a type, for the log."""
    return LookupError(f"the resource {_words(error.args[0])} is not open")


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function with its module, for messages."""
    return f"{function.__module__}.{function.__qualname__}"


def _words(kind: Any) -> str:
    return kind.__qualname__ if isinstance(kind, type) else str(kind)
