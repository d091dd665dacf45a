"""Metrics and spans of the service's own.

    ORDERS = counter("orders", "Orders that were placed, by channel.", ["channel"])
    QUEUED = gauge("orders_queued", "Orders that wait to be packed.")
    PICKING = histogram("order_picking_seconds", "Time from an order to its parcel.", buckets=[60, 600, 3600])

    async def place_order(body: OrderFields, database: Database) -> Order:
        with span("reserve stock", lines=len(body.lines)):
            ...
        ORDERS.labels("web").inc()

Define each metric once, at the top of a module. `/metrics` shows it, added up over the worker processes. A label has a
bounded set of values: a channel or a status, never an id.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any, Literal, TypeVar, cast

from prometheus_client import Counter, Gauge, Histogram

import chassis.telemetry.metrics  # noqa: F401  (first, so that the names of the chassis' metrics are taken)
from chassis.telemetry.spans import Span, start_span

__all__ = ["Span", "counter", "gauge", "histogram", "span"]

Metric = TypeVar("Metric", Counter, Gauge, Histogram)

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NAME_RULE = "lower-case letters, digits and underscores, beginning with a letter"
_SUFFIXES = ("_total", "_count", "_sum", "_bucket")
_TAKEN_LABELS = {"le", "quantile"}
_MODES = {"sum": "livesum", "max": "livemax", "min": "livemin", "latest": "livemostrecent"}

_defined: dict[str, tuple[tuple[object, ...], Any]] = {}


def counter(name: str, help: str, labels: Iterable[str] = ()) -> Counter:  # noqa: A002
    """Define a counter: a number that only grows, `ORDERS.inc()`. Its series has the suffix `_total`.

    Args:
        name: lower-case letters, digits and underscores: `orders`, or `orders_total`.
        help: what is counted, as a sentence.
        labels: the names of its labels: `ORDERS.labels("web").inc()`.

    Returns:
        The counter. A second call with the same arguments returns the same one.

    Raises:
        ValueError: a name breaks its rule, or another metric has the name.
    """
    name = name.removesuffix("_total")
    labels = tuple(labels)
    return _define(Counter, name, help, labels, (), lambda: Counter(name, help, labels))


def gauge(
    name: str,
    help: str,  # noqa: A002
    labels: Iterable[str] = (),
    *,
    processes: Literal["sum", "max", "min", "latest"] = "sum",
) -> Gauge:
    """Define a gauge: a number that goes up and down, `QUEUED.set(7)`.

    Args:
        name: lower-case letters, digits and underscores.
        help: what is measured, as a sentence.
        labels: the names of its labels.
        processes: how the values of several worker processes become one. `sum` fits what each process has of its own,
            such as open files. Use `max`, `min` or `latest` (the one that was set last) for what all of them see, such
            as the rows of a table; with `latest`, only `set` may be called. Processes that have ended do not count.

    Returns:
        The gauge. A second call with the same arguments returns the same one.

    Raises:
        ValueError: a name breaks its rule, another metric has the name, or there is no such way to combine processes.
    """
    labels = tuple(labels)
    if processes not in _MODES:
        raise ValueError(f"The gauge {name!r}: `processes` should be one of {', '.join(_MODES)}")
    mode = cast(Literal["livesum"], _MODES[processes])
    return _define(Gauge, name, help, labels, (mode,), lambda: Gauge(name, help, labels, multiprocess_mode=mode))


def histogram(
    name: str,
    help: str,  # noqa: A002
    labels: Iterable[str] = (),
    *,
    buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS,
) -> Histogram:
    """Define a histogram: how often a number lies below each bound, `PICKING.observe(95)`.

    Args:
        name: lower-case letters, digits and underscores; it ends with its unit, such as `_seconds`.
        help: what is measured, as a sentence.
        labels: the names of its labels.
        buckets: the bounds, ascending. The default ones fit durations from 5 ms to 10 s. Each one is a series for each
            combination of labels.

    Returns:
        The histogram. A second call with the same arguments returns the same one.

    Raises:
        ValueError: a name or the bounds break their rule, or another metric has the name.
    """
    labels, bounds = tuple(labels), tuple(map(float, buckets))
    if not bounds or any(one >= other for one, other in pairwise(bounds)):
        raise ValueError(f"The histogram {name!r}: the bounds of its buckets should ascend")
    return _define(Histogram, name, help, labels, bounds, lambda: Histogram(name, help, labels, buckets=bounds))


def span(name: str, **attributes: object) -> AbstractContextManager[Span]:
    """Make a child span of a step, if tracing is on: `with span("reserve stock", lines=3): ...`.

    An exception that ends the block is recorded in the span and goes on. Without tracing, the call does nothing.

    Args:
        name: the name of the step, the same each time: values belong into attributes.
        attributes: their values are text, numbers, truth values, or lists of text; other values become text, and those
            that are None are left out. They leave the service: no secrets.

    Returns:
        A context manager for `with`; `as reserving` names the span, and `reserving.set(parcels=2)` adds attributes.
    """
    return start_span(name, attributes)


def _define(
    kind: type[Metric],
    name: str,
    help: str,  # noqa: A002
    labels: tuple[str, ...],
    options: tuple[object, ...],
    make: Callable[[], Metric],
) -> Metric:
    what = f"The {kind.__name__.lower()} {name!r}"
    if not _NAME.fullmatch(name):
        raise ValueError(f"{what}: its name should be {_NAME_RULE}")
    if kind is not Counter and name.endswith(_SUFFIXES):
        suffixes = ", ".join(_SUFFIXES)
        raise ValueError(f"{what}: its name should not end with {suffixes}, as counters and parts of histograms do")
    if not help.strip():
        raise ValueError(f"{what}: say in `help` what it is, as a sentence")
    for label in labels:
        if not _NAME.fullmatch(label) or label in _TAKEN_LABELS:
            raise ValueError(f"{what}: its label {label!r} should be {_NAME_RULE}, and not `le` or `quantile`")
    if len({*labels}) < len(labels):
        raise ValueError(f"{what}: it should have each label once")
    definition = (kind, help, labels, options)
    if name in _defined:
        known, metric = _defined[name]
        if known != definition:
            raise ValueError(f"{what}: a metric of this name is defined in another way; define it once and import it")
        return cast(Metric, metric)
    try:
        metric = make()
    except ValueError as error:  # the chassis has it, or a library
        raise ValueError(f"{what}: its name is taken, choose another one ({error})") from error
    _defined[name] = definition, metric
    return metric
