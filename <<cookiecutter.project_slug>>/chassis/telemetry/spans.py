"""Spans of the service's own code. `chassis.telemetry.tracing` starts them, if tracing is on."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, TypeAlias

Attribute: TypeAlias = str | bool | int | float
"""A value that OpenTelemetry takes as an attribute."""


class Span:
    """A span that has begun: `with span("price") as priced: priced.set(lines=3)`. Without tracing it does nothing."""

    def set(self, **attributes: object) -> None:
        """Set further attributes, by name; those that are None are left out."""


class _NoSpan(Span):
    """The span of a process without tracing: a context manager that does nothing and can be used again."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *_: object) -> None:
        pass


StartSpan: TypeAlias = Callable[[str, Mapping[str, object]], AbstractContextManager[Span]]

_NO_SPAN = _NoSpan()
_start: StartSpan | None = None


def started_by(start: StartSpan | None) -> None:
    """Have spans started by this function from now on; by none, if it is None.

    Args:
        start: starts a span with a name and attributes.
    """
    global _start
    _start = start


def start_span(name: str, attributes: Mapping[str, object]) -> AbstractContextManager[Span]:
    """Start a span, or nothing while tracing is off."""
    return _start(name, attributes) if _start else _NO_SPAN


def attribute_of(value: object) -> Any:
    """Return a value as an attribute: numbers and text as they are, a list as a list of text, others as text."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, list | tuple | set | frozenset):
        return [each if isinstance(each, str) else str(each) for each in value]
    return value if isinstance(value, Attribute) else str(value)
