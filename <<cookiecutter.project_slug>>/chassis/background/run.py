"""One run of a background function: its id in the log, its metrics, and what is logged when it fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import getrandbits

import structlog
from aiohttp import ClientError
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars

from chassis.background.entry import Entry
from chassis.concurrency.cancellation import is_cancelled
from chassis.errors import UnavailableError
from chassis.http.client import cause_of, reason_of
from chassis.resources.injection import Injector
from chassis.telemetry.metrics import BACKGROUND_LAST_SUCCESS, BACKGROUND_RUN_DURATION, BACKGROUND_RUNS

log = structlog.get_logger()

_OUTCOMES = _SUCCESS, _FAILURE, _CANCELLED = "success", "failure", "cancelled"


def prepare_metrics(entry: Entry) -> None:
    """Make the series of a function's runs, so that they exist before its first run."""
    BACKGROUND_RUN_DURATION.labels(entry.name)
    for outcome in _OUTCOMES:
        BACKGROUND_RUNS.labels(entry.name, outcome)


async def succeeds(entry: Entry) -> bool:
    """Run a function once; count, time and log the run, and return whether it succeeded.

    The run has a new id. It is `request_id` in the run's log lines, and `X-Request-ID` in its calls to other services.
    """
    clear_contextvars()  # of the run before
    bind_contextvars(background=entry.name, request_id=_new_id())
    started, outcome = time.perf_counter(), _CANCELLED
    try:
        await entry.run()
        outcome = _SUCCESS
        BACKGROUND_LAST_SUCCESS.labels(entry.name).set_to_current_time()
        log.debug("background_run", duration_ms=_milliseconds_since(started))
    except (UnavailableError, ClientError) as error:
        outcome, reason = _FAILURE, reason_of(cause_of(error))
        log.error("background_failed", duration_ms=_milliseconds_since(started), reason=reason)
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and is_cancelled():
            raise
        outcome = _FAILURE
        log.exception("background_failed", duration_ms=_milliseconds_since(started))
    finally:
        BACKGROUND_RUNS.labels(entry.name, outcome).inc()
        BACKGROUND_RUN_DURATION.labels(entry.name).observe(time.perf_counter() - started)
        clear_contextvars()
        bind_contextvars(background=entry.name)
    return outcome == _SUCCESS


async def run_once(background: Callable[..., Awaitable[None]], injector: Injector) -> None:
    """Run a background function once, without its schedule, its lease and its metrics. Its exceptions propagate.

    Args:
        background: an entry of `Service.background`.
        injector: gives the function its parameters.

    Raises:
        TypeError: it is not a coroutine function, or a parameter cannot be given.
    """
    entry = Entry(background, injector)
    with bound_contextvars(background=entry.name, request_id=_new_id()):
        await entry.run()


def _new_id() -> str:
    return f"{getrandbits(128):032x}"


def _milliseconds_since(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 2)
