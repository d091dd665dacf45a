"""Runs a command of a service: `python -m app NAME`."""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from enum import StrEnum
from typing import Any, TypeAlias
from uuid import uuid4

import structlog
from structlog.contextvars import bound_contextvars

from chassis.errors import ServiceError, UnavailableError
from chassis.http.client import reason_of
from chassis.observability import span
from chassis.resources.injection import Injector
from chassis.server.command_arguments import Command
from chassis.server.signals import Interruption, interrupted_by_signals

log = structlog.get_logger()

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[Injector]]
"""Opens what functions need, once; yields the injector that gives it; closes it at the end of the block."""

_CANCEL_SECONDS = 2
_EXIT_SECONDS = 2
_FAILED, _SIGNALLED = 1, 128


class _Outcome(StrEnum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"  # cancelled, and did not end


async def run_command(command: Command, arguments: dict[str, Any], opened: Open, drain_seconds: float) -> int:
    """Run a command, and return the exit status of the process.

    - The status is what the function returns, 0 for None.
    - After an error the status is 1. The message of a `ServiceError` is printed to stderr; another error is logged with
      its traceback.
    - After SIGTERM the command may go on for `drain_seconds`; then it is cancelled. SIGINT or a second signal cancels
      it at once. The status is then 128 plus the number of the signal. A cancelled command that does not end within 2 s
      is abandoned: the process exits without it.

    What was opened is closed in every case.

    Args:
        command: the command.
        arguments: the values of its arguments, by the names of their parameters.
        opened: opens what its function needs.
        drain_seconds: how long it may go on after SIGTERM.
    """
    started = time.monotonic()
    with bound_contextvars(run_id=uuid4().hex), interrupted_by_signals() as interruption:
        log.info("command_started", name=command.name)
        status, outcome = _FAILED, _Outcome.FAILED
        try:
            async with AsyncExitStack() as stack:
                injector = await _open(stack, opened, interruption)
                if injector is None:
                    status, outcome = _SIGNALLED + interruption.signal, _Outcome.CANCELLED
                else:
                    given = injector.arguments(command.given)
                    status, outcome = await _run(command, given | arguments, interruption, drain_seconds)
        except Exception as error:  # of the opening, or of the closing
            status = max(status, _report(command, error))
            outcome = outcome if outcome is not _Outcome.SUCCEEDED else _Outcome.FAILED
        seconds = round(time.monotonic() - started, 3)
        log.info("command_ended", name=command.name, seconds=seconds, outcome=str(outcome), status=status)
        await asyncio.sleep(0)  # log lines are written at the end of the event loop's turn
        if outcome in {_Outcome.CANCELLED, _Outcome.ABANDONED}:
            _exit_within(0 if outcome is _Outcome.ABANDONED else _EXIT_SECONDS, status)
        return status


async def _open(stack: AsyncExitStack, opened: Open, interruption: Interruption) -> Injector | None:
    """Open what the command needs. A signal ends that at once, as no work has begun; the result is then None."""
    try:
        async with asyncio.timeout(None) as limit:
            expiring = asyncio.create_task(_expire(limit, interruption.requested))
            try:
                return await stack.enter_async_context(opened())
            finally:
                expiring.cancel()
    except TimeoutError:
        if not limit.expired():
            raise
        return None


async def _expire(limit: asyncio.Timeout, event: asyncio.Event) -> None:
    await event.wait()
    limit.reschedule(0)


async def _run(
    command: Command, arguments: dict[str, Any], interruption: Interruption, drain_seconds: float
) -> tuple[int, _Outcome]:
    """Run the function in a task of its own, and cancel it after a signal."""

    async def work() -> int:
        with span(command.name):
            return await command.run(arguments)

    task = asyncio.create_task(work())
    try:
        await _until(task, interruption.requested)
        if not task.done():
            seconds = 0 if interruption.immediate.is_set() else drain_seconds
            log.info("command_interrupted", name=command.name, seconds=seconds)
            await _until(task, interruption.immediate, seconds)
        if task.done():
            status = task.result()
            return status, _Outcome.FAILED if status else _Outcome.SUCCEEDED
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_SECONDS)
        status = _SIGNALLED + interruption.signal
        if not task.done():
            reason = f"it did not end within {_CANCEL_SECONDS} s after it was cancelled"
            log.warning("command_abandoned", name=command.name, reason=reason)
            return status, _Outcome.ABANDONED
        if not task.cancelled() and (error := task.exception()):
            _report(command, error)
        return status, _Outcome.CANCELLED
    except (Exception, asyncio.CancelledError) as error:
        if not task.done():  # this coroutine was cancelled, and not the command
            raise
        return _report(command, error), _Outcome.FAILED
    finally:
        task.cancel()


async def _until(task: asyncio.Task[int], event: asyncio.Event, seconds: float | None = None) -> None:
    """Wait for a task, an event or a time, whichever comes first."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({task, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def _report(command: Command, error: BaseException) -> int:
    """Log an error, print the message of one that is foreseen to stderr, and return the exit status."""
    if isinstance(error, ServiceError):
        cause = error.__cause__ if isinstance(error, UnavailableError) else None
        log.error("command_failed", name=command.name, reason=reason_of(cause) if cause else str(error))
        sys.stderr.write(f"{error}\n")
    else:
        log.error("command_failed", name=command.name, reason=type(error).__name__, exc_info=error)
    return _FAILED


def _exit_within(seconds: float, status: int) -> None:
    """Exit at the latest after this time: a task or a thread that does not end would keep the process alive."""

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)

    if not seconds:
        leave()
    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()
