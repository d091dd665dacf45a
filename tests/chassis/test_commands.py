"""Commands of a service, as real processes: arguments, exit status, log, signals."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession
from pydantic import BaseModel, SecretStr

from chassis.command_line import main
from chassis.database import Database
from chassis.project import ROOT
from chassis.resources.injection import Injector
from chassis.server.command_arguments import Command, CommandFunction
from chassis.service import Service
from chassis.settings import Settings
from chassis.testing import ServiceProcess
from chassis.testing.processes import PATIENCE_SECONDS, ended_with_the_tests, service_process
from tests.chassis import commands

COMMANDS = (sys.executable, "-m", "tests.chassis.commands")
NOBODY_LISTENS = "postgresql://someone:hunter2@127.0.0.1:1/name"
NUMBER = "11111111-2222-3333-4444-555555555555"
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass
class Ended:
    """A command that has ended."""

    status: int
    errors: str
    shown: dict[str, Any] = field(default_factory=dict)
    logged: list[dict[str, Any]] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        return [line["event"] for line in self.logged]


def started(
    url: str, *argv: str, environment: Mapping[str, str] = _NONE
) -> AbstractAsyncContextManager[ServiceProcess]:
    return service_process(url, [*COMMANDS, *argv], ready=False, environment=environment)


async def run(url: str, *argv: str, environment: Mapping[str, str] = _NONE) -> Ended:
    """Run a command to its end."""
    async with started(url, *argv, environment=environment) as service:
        return await ended(service)


async def ended(service: ServiceProcess) -> Ended:
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, errors = await service.process.communicate()
    assert service.process.returncode is not None
    found = Ended(service.process.returncode, errors.decode(), logged=service.lines)
    for text in output.decode().splitlines():
        if text.startswith("{"):
            line = json.loads(text)
            if "event" in line:
                found.logged.append(line)
            else:
                found.shown = line
        else:
            found.errors += f"{text}\n"  # argparse prints its help to stdout
    return found


async def test_arguments_are_what_the_annotations_say() -> None:
    least = await run(NOBODY_LISTENS, "every-kind", "-3", "2", "a")
    assert (least.status, least.errors) == (0, "")
    given = {"number": -3, "colour": "BLUE", "paths": ["a"], "size": 1, "rate": "1.5", "since": None, "ids": []}
    assert least.shown == {**given, "command": "100 %", "dry_run": False, "check": True}
    options = f"--size 2 --rate 2.25 --since 2026-11-26 --ids {NUMBER} --ids {NUMBER} --command x --dry-run --no-check"
    most = await run(NOBODY_LISTENS, "every-kind", "7", "red", "a", "b", *options.split())
    assert (most.status, most.errors) == (0, "")
    given = {"number": 7, "colour": "RED", "paths": ["a", "b"], "size": 2, "rate": "2.25", "since": "2026-11-26"}
    assert most.shown == {**given, "ids": [NUMBER, NUMBER], "command": "x", "dry_run": True, "check": False}


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("every-kind seven red a", "argument number: input should be a valid integer, unable to parse string"),
        ("every-kind 7 green a", "argument colour: invalid choice: 'green' (choose from "),
        ("every-kind 7 red", "the following arguments are required: paths"),
        ("every-kind 7 red a --size 3", "argument --size: invalid choice: '3' (choose from "),
        ("every-kind 7 red a --rate 100", "argument --rate: input should be less than 100"),
        ("every-kind 7 red a --since 2026-13-01", "argument --since: input should be a valid date"),
        ("every-kind 7 red a --ids x", "argument --ids: input should be a valid UUID"),
        ("every-kind 7 red a --settings x", "unrecognized arguments: --settings x"),
        ("every-kinds", "invalid choice: 'every-kinds'"),
    ],
)
async def test_a_wrong_argument_is_named_with_its_rule(argv: str, message: str) -> None:
    refused = await run(NOBODY_LISTENS, *argv.split())
    assert (refused.status, refused.logged, refused.shown) == (2, [], {})
    assert message in refused.errors
    assert "Traceback" not in refused.errors


async def test_help_lists_the_commands_and_their_arguments() -> None:
    listed = await run("none of its business", "--help")
    assert listed.status == 0
    words = " ".join(listed.errors.split())
    for each in ("serve the API", "openapi print", "every-kind Show what it is given; 100 % of it.", "count Ask the"):
        assert each in words
    described = await run("none of its business", "every-kind", "--help")
    assert described.status == 0
    words = " ".join(described.errors.split())
    assert "number how many, at least one" in words
    assert "--rate RATE in %, below 100 (default: 1.5)" in words
    assert "--dry-run" in words
    assert "settings" not in words


async def test_a_command_has_the_database_and_the_client_and_is_logged(database_url: str) -> None:
    counted = await run(database_url, "count")
    assert counted.shown == {"numbers": [1, 2], "client": False}
    assert counted.status == 0
    begun, done = counted.logged
    assert (begun["event"], begun["name"]) == ("command_started", "count")
    assert (done["event"], done["name"], done["outcome"], done["status"]) == ("command_ended", "count", "succeeded", 0)
    assert 0 <= done["seconds"] < PATIENCE_SECONDS
    assert begun["run_id"] == done["run_id"] != (await run(database_url, "count")).logged[0]["run_id"]


@pytest.mark.parametrize(
    ("argv", "status", "message"),
    [
        ("end 0", 0, ""),
        ("end 7", 7, ""),
        ("leave 4", 4, ""),
        ("leave sorry", 1, "sorry\n"),
        ("refuse", 1, "There is no price list.\n"),
    ],
)
async def test_the_status_is_what_the_command_says(argv: str, status: int, message: str) -> None:
    done = await run(NOBODY_LISTENS, *argv.split())
    assert (done.status, done.errors) == (status, message)
    last = done.logged[-1]
    assert (last["event"], last["status"]) == ("command_ended", status)
    assert last["outcome"] == ("failed" if status else "succeeded")


@pytest.mark.parametrize(("argv", "error"), [("fail", "RuntimeError: a bug"), ("end 256", "TypeError: ")])
async def test_an_unforeseen_error_is_logged_with_its_traceback(argv: str, error: str) -> None:
    failed = await run(NOBODY_LISTENS, *argv.split())
    assert (failed.status, failed.errors) == (1, "")
    assert failed.events == ["command_started", "command_failed", "command_ended"]
    assert error in failed.logged[1]["exception"]
    assert failed.logged[1]["run_id"] == failed.logged[0]["run_id"]


async def test_a_database_that_is_away_is_one_sentence() -> None:
    away = await run(NOBODY_LISTENS, "count")
    assert (away.status, away.errors) == (1, "The database is not available at the moment. Try again later.\n")
    assert away.events == ["command_started", "command_failed", "command_ended"]
    assert "Connect" in away.logged[1]["reason"]
    assert "exception" not in away.logged[1]
    assert "hunter2" not in json.dumps(away.logged)


async def test_a_wrong_setting_stops_a_command_before_it_starts() -> None:
    wrong = await run(NOBODY_LISTENS, "count", environment={"LOG_LEVEL": "loud"})
    assert (wrong.status, wrong.logged) == (1, [])
    assert "LOG_LEVEL: input should be" in wrong.errors


async def sessions_of(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(
            await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    finally:
        await connection.close()


async def test_after_sigterm_a_command_may_end_its_work(database_url: str) -> None:
    environment = {"DRAIN_SECONDS": "30"}
    async with started(database_url, "work", "1", environment=environment) as service:
        await service.until_logged("working")
        service.process.terminate()
        done = await ended(service)
    assert (done.status, done.errors) == (0, "")
    assert done.events == ["command_started", "working", "command_interrupted", "worked", "command_ended"]
    assert done.logged[-1]["outcome"] == "succeeded"
    assert (await run(database_url, "interrupt-itself", "--returns", "3", environment=environment)).status == 3


@pytest.mark.parametrize(
    ("signals", "drain", "status"),
    [
        ([signal.SIGTERM], "0.2", 143),
        ([signal.SIGTERM], "0", 143),
        ([signal.SIGINT], "3600", 130),
        ([signal.SIGTERM, signal.SIGTERM], "3600", 143),
        ([signal.SIGTERM, signal.SIGINT], "3600", 130),
    ],
)
async def test_a_command_that_has_to_end_is_cancelled(
    database_url: str, signals: list[signal.Signals], drain: str, status: int
) -> None:
    async with started(database_url, "work", "3600", environment={"DRAIN_SECONDS": drain}) as service:
        await service.until_logged("working")
        service.process.send_signal(signals[0])
        for number in signals[1:]:
            await service.until_logged("command_interrupted")
            service.process.send_signal(number)
        done = await ended(service)
    assert (done.status, done.errors) == (status, "")
    assert done.events[-2:] == ["cancelled", "command_ended"]
    assert (done.logged[-1]["outcome"], done.logged[-1]["status"]) == ("cancelled", status)
    assert await sessions_of(database_url) == 0


async def test_an_error_of_a_cancelled_command_is_logged(database_url: str) -> None:
    async with started(database_url, "work", "3600", "--on-cancel", "fail") as service:
        await service.until_logged("working")
        service.process.send_signal(signal.SIGINT)
        done = await ended(service)
    assert done.status == 130
    assert done.events[-3:] == ["cancelled", "command_failed", "command_ended"]
    assert "a bug in the cleaning up" in done.logged[-2]["exception"]


async def test_a_command_that_ignores_its_end_is_abandoned(database_url: str) -> None:
    async with started(database_url, "work", "3600", "--on-cancel", "ignore") as service:
        await service.until_logged("working")
        before = asyncio.get_running_loop().time()
        service.process.terminate()
        done = await ended(service)
    assert asyncio.get_running_loop().time() - before < 2 + 5
    assert done.status == 143
    assert done.events[-2:] == ["command_abandoned", "command_ended"]
    assert done.logged[-1]["outcome"] == "abandoned"
    assert await sessions_of(database_url) == 0


async def test_a_thread_that_does_not_end_does_not_hold_up_the_exit(database_url: str) -> None:
    async with started(database_url, "work-in-a-thread") as service:
        await service.until_logged("working")
        service.process.terminate()
        async with asyncio.timeout(10):
            assert (await ended(service)).status == 143


async def test_a_third_signal_exits_even_if_the_event_loop_is_blocked(database_url: str) -> None:
    async with started(database_url, "work", "3600", "--on-cancel", "block") as service:
        await service.until_logged("working")
        service.process.send_signal(signal.SIGINT)
        await service.until_logged("cancelled")
        for _ in range(2):
            await asyncio.sleep(0.2)  # signals of one number that wait become one
            service.process.send_signal(signal.SIGINT)
        assert (await ended(service)).status == 130


async def test_a_signal_while_the_resources_open_ends_the_command() -> None:
    code = (
        "import asyncio, os, signal, uvloop\n"
        "from contextlib import asynccontextmanager\n"
        "from chassis.resources.injection import Injector\n"
        "from chassis.server import commands\n"
        "from chassis.server.command_arguments import Command\n"
        "from tests.chassis.commands import count, end\n"
        "@asynccontextmanager\n"
        "async def opened():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        await asyncio.sleep(3600)\n"
        "        yield Injector(())\n"
        "    finally:\n"
        "        print('closed')\n"
        "raise SystemExit(uvloop.run(commands.run_command(Command(end, Injector(())), {'status': 0}, opened, 3600)))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    with ended_with_the_tests(process):
        async with asyncio.timeout(PATIENCE_SECONDS):
            output, _ = await process.communicate()
    assert process.returncode == 143
    assert b"closed" in output


class Price(BaseModel):
    """A model, which no text on the command line is."""

    cents: int


async def takes_a_model(price: Price) -> None: ...


async def takes_anything(price) -> None: ...  # type: ignore[no-untyped-def]


async def takes_several(*prices: int) -> None: ...


async def takes_help(*, help: str = "") -> None: ...  # noqa: A002


async def takes_an_unknown_type(prices: asyncio.Queue[int]) -> None: ...


def is_no_coroutine() -> None: ...


async def migrate() -> None: ...


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ([takes_a_model], "test_commands.takes_a_model: the parameter 'price' is neither an argument of the command "),
        ([takes_an_unknown_type], "There is: ClientSession, Database, Settings."),
        ([takes_anything], "test_commands.takes_anything: the parameter 'price' has no annotation"),
        ([takes_several], "test_commands.takes_several: the parameter 'prices' is not given by its name"),
        ([takes_help], "test_commands.takes_help: the parameter 'help' has the name of an option of all commands"),
        ([is_no_coroutine], "test_commands.is_no_coroutine: a command is a coroutine function"),
        ([migrate], "test_commands.migrate has the name of the built-in command `migrate`"),
        ([commands.end, commands.end], "Two commands have the name `end`: tests.chassis.commands.end"),
    ],
)
def test_what_is_no_command_stops_every_start(
    monkeypatch: pytest.MonkeyPatch, functions: list[CommandFunction], message: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["app", "openapi"])
    with pytest.raises((TypeError, ValueError)) as raised:
        main(Service(settings=Settings, routes=(), commands=functions))
    assert message in str(raised.value)


async def run_command(function: CommandFunction, injector: Injector, *argv: str) -> int:
    """Run a command in this process."""
    command = Command(function, injector)
    return await command.run(injector.arguments(command.given) | command.parsed(argv))


async def test_the_test_kit_runs_a_command(
    database: Database, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    injector = Injector({Database, Settings, ClientSession})
    injector.values = {Database: database, Settings: Settings(database_url=SecretStr(database_url))}
    assert await run_command(commands.end, injector, "7") == 7
    assert await run_command(commands.every_kind, injector, "7", "red", "a", "--dry-run") == 0
    assert json.loads(capsys.readouterr().out)["dry_run"] is True
    with pytest.raises(ValueError, match="argument number: input should be a valid integer"):
        await run_command(commands.every_kind, injector, "seven", "red", "a")
    with pytest.raises(RuntimeError, match="a bug"):
        await run_command(commands.fail, injector)
