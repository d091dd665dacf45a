"""What blocks the event loop is named in the log."""

import asyncio
import gc
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
import uvloop
from structlog.testing import capture_logs

from chassis.project import ROOT
from chassis.telemetry.event_loop_lag import measure_event_loop_lag
from chassis.testing.processes import service_process

OBSERVED = [sys.executable, "-m", "tests.chassis.observed"]
LOOPS = pytest.mark.parametrize("new_loop", [uvloop.new_event_loop, asyncio.new_event_loop])
NAME = "event-loop-watchdog"


def own_code(source: str) -> Callable[..., Any]:
    """Return the function `block` of a module of the service's own, which this is not."""
    names: dict[str, Any] = {"time": time, "asyncio": asyncio}
    exec(compile(source, str(ROOT / "app" / "stock.py"), "exec"), names)
    found: Callable[..., Any] = names["block"]
    return found


def watchdogs() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


def lines_while(new_loop: Callable[[], asyncio.AbstractEventLoop], block: Callable[[], object]) -> list[dict[str, Any]]:
    """Block an event loop that is measured, and return what is logged."""

    async def run() -> None:
        measured = asyncio.create_task(measure_event_loop_lag())
        await asyncio.sleep(0.1)
        assert len(watchdogs()) == 1
        block()
        await asyncio.sleep(1.2)
        measured.cancel()
        with suppress(asyncio.CancelledError):
            await measured
        assert watchdogs() == []

    with capture_logs() as logs, asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run())
    return [{**line} for line in logs]


@LOOPS
def test_the_place_in_the_service_s_own_code_is_named(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    block = own_code("def block(inner):\n    inner()\n")
    [line] = lines_while(new_loop, lambda: block(lambda: time.sleep(4)))
    assert (line["event"], line["log_level"]) == ("event_loop_blocked", "warning")
    assert line["where"] == "app/stock.py:2 in block"
    assert 1 <= line["seconds"] < 3


@LOOPS
def test_a_background_coroutine_that_never_yields_is_named(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    block = own_code("async def block():\n    end = time.monotonic() + 3\n    while time.monotonic() < end: pass\n")
    background = set[asyncio.Task[None]]()
    [line] = lines_while(new_loop, lambda: background.add(asyncio.ensure_future(block())))
    assert line["where"] == "app/stock.py:3 in block"


@LOOPS
def test_a_block_in_a_library_is_named_by_its_innermost_place(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    [line] = lines_while(new_loop, lambda: time.sleep(3))
    assert line["where"].startswith("tests/chassis/test_event_loop_lag.py:")


@LOOPS
def test_a_callback_without_python_code_is_noticed(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    [line] = lines_while(new_loop, lambda: asyncio.get_running_loop().call_soon(time.sleep, 3))
    assert line["event"] == "event_loop_blocked"


@LOOPS
def test_short_blocks_and_a_loop_that_waits_are_not_logged(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    assert lines_while(new_loop, lambda: time.sleep(0.8)) == []


def test_what_a_block_has_used_is_freed_when_it_ends() -> None:
    class Order:
        """An object of a handler."""

    def block() -> None:
        order = Order()
        time.sleep(3)
        used = weakref.ref(order)
        asyncio.get_running_loop().call_later(0.5, lambda: freed.append(used() is None))  # the watchdog goes on

    freed = list[bool]()
    gc.disable()
    try:
        [_] = lines_while(uvloop.new_event_loop, block)
    finally:
        gc.enable()
    assert freed == [True]


def test_each_block_is_one_line() -> None:
    def block_again() -> None:
        time.sleep(2.5)
        asyncio.get_running_loop().call_later(0.5, time.sleep, 3)

    assert len(lines_while(uvloop.new_event_loop, block_again)) == 2


async def test_a_service_that_was_stopped_for_a_while_is_not_blamed(database_url: str) -> None:
    async with service_process(database_url, OBSERVED) as service, aiohttp.ClientSession() as client:
        service.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(3.5)
        service.process.send_signal(signal.SIGCONT)
        assert (await client.get(f"{service.internal}/livez")).status == 200
        await asyncio.sleep(1.5)
        service.process.terminate()
        assert await service.until_ended() == 0
    assert "event_loop_blocked" not in [line["event"] for line in service.lines]


async def test_a_handler_that_blocks_is_named(database_url: str) -> None:
    async with service_process(database_url, OBSERVED) as service, aiohttp.ClientSession() as client:
        blocked = asyncio.create_task(client.post(f"{service.api}/block/3600000"))
        line = await service.until_logged("event_loop_blocked")  # written while the loop is blocked
        assert line["where"].startswith("tests/chassis/observed.py:")
        assert line["where"].endswith(" in block")
        blocked.cancel()
