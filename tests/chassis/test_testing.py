"""The test kit: what tests rely on besides what tests/app shows."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import jwt
import pytest
from pydantic import Field, SecretStr, ValidationError

from app.settings import Settings
from chassis.project import ROOT
from chassis.service import Service, every
from chassis.testing import Issuer, OtherService, changed_settings, clients_of, examples_of
from chassis.testing.processes import PATIENCE_SECONDS

HANGS = """
import asyncio

async def wait_for_nothing():
    await asyncio.Event().wait()

async def test_it_hangs():
    await asyncio.gather(wait_for_nothing())

def test_the_next_one_runs():
    pass
"""
STARTS = """
import asyncio, sys
from chassis.testing import service_process

async def main():
    async with service_process(sys.argv[1]) as service:
        print(service.process.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_test_that_hangs_fails_with_the_stacks_of_its_tasks(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(HANGS, encoding="utf-8")
    options = ["-c", "pyproject.toml", "-p", "chassis.testing.plugin", "-p", "no:cacheprovider", "--timeout=1"]
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", *options, tmp_path, cwd=ROOT, stdout=PIPE, stderr=STDOUT
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        said = (await run.communicate())[0].decode()
    assert run.returncode == 1
    assert "Timeout (>1.0s)" in said
    assert "in wait_for_nothing\n    await asyncio.Event().wait()" in said
    assert "1 failed, 1 passed" in said


async def test_a_service_ends_when_its_tests_are_killed(database_url: str) -> None:
    tests = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTS, database_url, cwd=ROOT, stdout=PIPE)
    assert tests.stdout
    async with asyncio.timeout(PATIENCE_SECONDS):
        service = int(await tests.stdout.readline())
        assert is_running(service)
        tests.kill()
        await tests.wait()
        while is_running(service):
            await asyncio.sleep(0.02)


def is_running(pid: int) -> bool:
    """Return True for a process that exists and is no zombie."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_a_call_that_has_no_answer_is_told_which_there_are(other_service: OtherService) -> None:
    other_service.answer("POST", "/orders", {"id": 7}, status=201, headers={"Location": "/orders/7"})
    async with aiohttp.ClientSession() as client:
        answered = await client.post(f"{other_service.url}/orders?dry=1", json={"item": 1})
        assert (answered.status, await answered.json(), answered.headers["Location"]) == (201, {"id": 7}, "/orders/7")
        unknown = await client.get(f"{other_service.url}/orders")
        assert (unknown.status, "POST /orders" in await unknown.text()) == (501, True)
    [first, _] = other_service.calls
    assert (first.method, first.path, first.json) == ("POST", "/orders?dry=1", {"item": 1})


def test_a_setting_that_does_not_exist_or_breaks_its_rule_is_refused(settings: Settings) -> None:
    assert changed_settings(settings, max_in_flight=1).max_in_flight == 1
    for change in ({"max_flight": 1}, {"max_in_flight": 0}):
        with pytest.raises(ValidationError, match=next(iter(change))):
            changed_settings(settings, **change)


def test_claims_of_a_token_can_be_changed_and_left_out(issuer: Issuer) -> None:
    def claims(**changes: Any) -> dict[str, Any]:
        found: dict[str, Any] = jwt.decode(issuer.token("a", "b", **changes), options={"verify_signature": False})
        return found

    assert (claims()["scope"], claims()["sub"]) == ("a b", "alice")
    assert claims(sub="bob", nbf=None).keys() == claims().keys() - {"nbf"}


def test_no_test_runs_without_a_time_limit(request: pytest.FixtureRequest) -> None:
    assert float(request.config.getini("timeout")) > 0
    assert "PYTEST_TIMEOUT" not in os.environ


async def test_a_client_runs_background_work_and_commands(settings: Settings) -> None:
    done: list[str] = []

    @every(3600)
    async def note_hour(given: Settings) -> None:
        done.append(f"hour of {given.max_in_flight}")

    async def import_prices(file: str, given: Settings, *, dry_run: bool = False) -> int:
        """Import prices."""
        done.append(f"{file} {dry_run} {given.max_in_flight}")
        return 3

    service = Service(settings=Settings, routes=[], background=[note_hour], commands=[import_prices])
    async with clients_of(service, settings) as make:
        client = await make(max_in_flight=7)
        assert done == [], "it does not run by itself"
        await client.run_background(note_hour)
        assert await client.run_command(import_prices, "prices.csv", "--dry-run") == 3
        with pytest.raises(ValueError, match="file"):
            await client.run_command(import_prices)
    assert done == ["hour of 7", "prices.csv True 7"]


class Required(Settings):
    """Settings without defaults."""

    secret: Annotated[SecretStr, Field(examples=["for tests"])]


class Lacking(Required):
    """One more, without an example."""

    other: int


def test_required_settings_have_their_examples_in_tests() -> None:
    assert examples_of(Settings) == {}
    assert examples_of(Required) == {"secret": "for tests"}
    with pytest.raises(LookupError, match=r"a value for other: give each an example in app/settings\.py"):
        examples_of(Lacking)
