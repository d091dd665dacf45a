"""A breakpoint stops in a terminal that can be used: under `make run`, and in a test."""

import asyncio
import json
import sys
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import pytest

from chassis.project import ROOT
from chassis.settings import Settings
from chassis.testing.processes import free_port
from tests.chassis.copies import copy_of_service, replace
from tests.chassis.terminal import CTRL_C, Terminal, terminal

pytestmark = pytest.mark.development
PROMPT = "(Pdb) "
HANDLER = '''    """List items"""\n'''
STOPPING = f"{HANDLER}    answer = 41\n    breakpoint()\n"
# The shortest deadline that the other waits fit in.
SHORT = {
    "database_lock_timeout_seconds": 0.1,
    "database_statement_timeout_seconds": 0.5,
    "database_command_timeout_seconds": 1,
    "database_connect_timeout_seconds": 0.5,
    "body_timeout_seconds": 0.5,
    "request_timeout_seconds": 2,
}
LONGER_SECONDS = 3.5  # than the deadline, than the time limit of a test, and than the event loop may be blocked


def stop_in_the_handler(service: Path) -> str:
    """Write a breakpoint into the handler of lists, and return what the file was before."""
    file = service / "app" / "items" / "handlers.py"
    before = file.read_text("utf-8")
    assert HANDLER in before
    replace(file, before.replace(HANDLER, STOPPING))
    return before


async def evaluates(opened: Terminal, expression: str, value: str) -> None:
    """Check that the debugger, which is at its prompt, evaluates what is typed."""
    opened.type(f"p {expression}\n")
    await opened.until(value)
    await opened.until(PROMPT)


async def test_a_breakpoint_in_a_handler_stops_under_make_run(short_tmp: Path) -> None:
    copy, port = copy_of_service(short_tmp / "service"), free_port()
    before = stop_in_the_handler(copy)
    short = {name.upper(): str(value) for name, value in SHORT.items()}
    ports = {"PORT": str(port), "INTERNAL_PORT": str(free_port())}
    async with (
        terminal(
            sys.executable, "-m", "chassis.development.run", folder=copy, TMPDIR=str(short_tmp), **ports, **short
        ) as run,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client,
    ):
        await run.until("ready")
        answer = asyncio.create_task(client.get("/v1/items"))
        printed = await run.until(PROMPT)
        await evaluates(run, "answer + 1", "42")
        await asyncio.sleep(LONGER_SECONDS)
        run.type("next\n")  # steps over an await need the event loop, whose timers are overdue by now
        printed += await run.until(PROMPT)
        run.type("continue\n")
        assert (await answer).status == 200
        printed += await run.until("request ")
        assert "event_loop_blocked" not in printed

        cut = asyncio.create_task(client.get("/v1/items"))
        await run.until(PROMPT)
        assert not run.shows_what_is_typed, "the prompt echoes itself"
        replace(copy / "app" / "items" / "handlers.py", before)
        await run.until("ready")
        assert run.shows_what_is_typed
        with pytest.raises(aiohttp.ClientError):
            await cut
        assert (await client.get("/v1/items")).status == 200

        stop_in_the_handler(copy)
        await run.until("ready")
        for keys in ("quit\n", CTRL_C):
            stopped = asyncio.create_task(client.get("/v1/items"))
            await run.until(PROMPT)
            run.type(keys)
            if keys != CTRL_C:
                assert (await stopped).status == 500, "what quit ends is the request"
        assert await run.until_ended() == 0
        assert run.shows_what_is_typed
        with pytest.raises(aiohttp.ClientError):
            await stopped


def test_the_configurations_of_vs_code_name_what_there_is() -> None:
    launch = json.loads((ROOT / ".vscode" / "launch.json").read_text("utf-8"))
    for each in launch["configurations"]:
        assert "module" not in each or find_spec(each["module"])
        known = {"PYTHONBREAKPOINT", "PYTEST_TIMEOUT", *(name.upper() for name in Settings.model_fields)}
        assert {*each["env"]} <= known
    environment = json.loads((ROOT / ".vscode" / "settings.json").read_text("utf-8"))["python.defaultInterpreterPath"]
    assert "VENV ?= .venv\n" in (ROOT / "Makefile").read_text("utf-8")
    assert environment == "${workspaceFolder}/.venv/bin/python"


TEST = f"""
from chassis.testing import MakeClient

async def test_it(make_client: MakeClient) -> None:
    client = await make_client(**{SHORT})
    assert (await client.get("/v1/items")).status == 200
"""


@pytest.fixture
def tested(short_tmp: Path) -> Path:
    """A copy of the service with a test that calls a handler with a breakpoint."""
    copy = copy_of_service(short_tmp / "service")
    (copy / "tests").mkdir()
    (copy / "tests" / "__init__.py").touch()
    (copy / "tests" / "conftest.py").write_bytes((ROOT / "tests" / "conftest.py").read_bytes())
    (copy / "tests" / "test_it.py").write_text(TEST, "utf-8")
    stop_in_the_handler(copy)
    return copy


async def test_a_breakpoint_in_a_handler_stops_in_a_test(tested: Path, short_tmp: Path) -> None:
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--timeout=3", "tests/test_it.py")
    async with terminal(*command, folder=tested, TMPDIR=str(short_tmp)) as run:
        await run.until(PROMPT)
        await evaluates(run, "answer + 1", "42")
        await asyncio.sleep(LONGER_SECONDS)
        run.type("next\n")
        await run.until(PROMPT)
        run.type("continue\n")
        await run.until("1 passed")
        assert await run.until_ended() == 0


async def test_a_breakpoint_without_a_terminal_says_why_the_test_fails(tested: Path, short_tmp: Path) -> None:
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n1", "tests/test_it.py")
    async with terminal(*command, folder=tested, TMPDIR=str(short_tmp)) as run:
        await run.until("A process of pytest-xdist has no terminal")
        await run.until("1 failed")
        assert await run.until_ended() == 1
