"""The service as a whole: it starts, answers, drains and stops. An update of the template replaces this file."""

import asyncio
import json
import os
import re
import signal
import sys
import tomllib
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from typing import get_type_hints

import aiohttp
import asyncpg
import pytest
from pydantic import SecretStr

from chassis.contract import Route, contract_of
from chassis.http.openapi import openapi_document
from chassis.migrations.revisions import CHASSIS, HISTORIES, SERVICE, current_revision, read_revisions
from chassis.migrations.run import migrate
from chassis.project import ROOT, project
from chassis.testing import examples_of, service_process
from chassis.testing.databases import drop_database, make_database
from tests.conftest import SERVICE as MADE_OF

# The number of examples for each operation and phase; `make fuzz` sets more. The seed is fixed.
EXAMPLES = os.environ.get("FUZZ_EXAMPLES", "3")
# Settings without a default, unless the environment has them.
EXAMPLES_OF_SETTINGS = {name.upper(): str(value) for name, value in examples_of(MADE_OF.settings).items()}
ENVIRONMENT = {name: value for name, value in EXAMPLES_OF_SETTINGS.items() if name not in os.environ}


async def test_it_starts_becomes_ready_and_answers_until_the_drain_ends(database_url: str) -> None:
    async with (
        service_process(database_url, environment=ENVIRONMENT | {"DRAIN_SECONDS": "60"}) as service,
        aiohttp.ClientSession() as client,
    ):
        assert (await client.get(f"{service.internal}/livez")).status == 200
        metrics = await (await client.get(f"{service.internal}/metrics")).text()
        assert "service_ready 1.0" in metrics
        service.process.send_signal(signal.SIGTERM)
        await service.until_logged("draining")
        assert (await client.get(f"{service.internal}/readyz")).status == 503
        async with client.get(f"{service.api}/openapi.json") as answer:  # a large one arrives in several pieces
            assert (answer.status, answer.headers["Connection"]) == (200, "close")


async def test_it_stops_without_an_error(database_url: str) -> None:
    async with service_process(database_url, environment=ENVIRONMENT) as service:
        service.process.send_signal(signal.SIGTERM)
        assert await service.until_ended() == 0
        assert service.lines[-1]["event"] == "stopped"
        assert not [line for line in service.lines if line["level"] == "error"]


async def test_a_wrong_setting_stops_the_start_and_is_named() -> None:
    url, wrong = "postgresql://localhost/unused", ENVIRONMENT | {"PORT": "70000"}
    async with service_process(url, ready=False, environment=wrong) as service:
        _, message = await service.process.communicate()
        assert service.process.returncode == 1
        assert "PORT: input should be less than or equal to 65535" in message.decode()


def test_the_openapi_document_is_current() -> None:
    kept = json.loads((ROOT / "openapi.json").read_text(encoding="utf-8"))
    made = openapi_document(MADE_OF.routes, project(), errors=MADE_OF.errors)
    assert kept == made, "run `make openapi` and commit openapi.json"


async def test_the_migrations_go_up_down_and_up(server_url: str) -> None:
    url = await make_database(server_url)
    settings = MADE_OF.settings(database_url=SecretStr(url), **examples_of(MADE_OF.settings))
    try:
        await migrate(settings)
        first = await describe(url)
        await migrate(settings, down_to="base")
        assert await describe(url) == (None, [])
        await migrate(settings)
        assert await describe(url) == first
        assert first[0] == read_revisions(SERVICE.versions).head
    finally:
        await drop_database(server_url, url)


async def describe(url: str) -> tuple[str | None, list[tuple[str, ...]]]:
    """Return the revision of this service's schema, and its columns."""
    connection = await asyncpg.connect(url)
    try:
        columns = await connection.fetch(
            "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns "
            "WHERE table_schema = current_schema() ORDER BY table_name, column_name"
        )
        own = [tuple(map(str, row)) for row in columns if row["table_name"] not in tables_of_the_chassis()]
        return await current_revision(connection, SERVICE), own
    finally:
        await connection.close()


def tables_of_the_chassis() -> set[str]:
    """Return the tables that are not the service's own."""
    files = CHASSIS.versions.glob("*.py")
    created = [re.findall(r"CREATE (?:UNLOGGED )?TABLE (\w+)", file.read_text("utf-8")) for file in files]
    return {history.table for history in HISTORIES}.union(*created)


def is_endless(route: Route) -> bool:
    """True for a WebSocket and for server-sent events, whose end a test would wait for."""
    return contract_of(route).websocket or route.produces == "text/event-stream"


def configuration() -> str:
    """Return schemathesis.toml, with a 503 for operations that call other services, as there are none in the test."""
    text = (ROOT / "schemathesis.toml").read_text(encoding="utf-8")
    accepted = [*tomllib.loads(text)["checks"]["positive_data_acceptance"]["expected-statuses"], 503]
    for route in MADE_OF.routes:
        if aiohttp.ClientSession in get_type_hints(route.handler).values():
            text += f'\n[[operations]]\ninclude-operation-id = "{route.handler.__name__}"\n'
            text += f"[operations.checks.not_a_server_error]\nexpected-statuses = {['2xx', '3xx', '4xx', 503]}\n"
            text += f"[operations.checks.positive_data_acceptance]\nexpected-statuses = {accepted}\n"
    return text


@pytest.mark.development
async def test_no_answer_is_outside_of_the_contract(database_url: str, tmp_path: Path) -> None:
    """Send requests that schemathesis generates from the OpenAPI document."""
    (tmp_path / "schemathesis.toml").write_text(configuration(), encoding="utf-8")
    program = Path(sys.executable).with_name("schemathesis")
    async with service_process(database_url, environment=ENVIRONMENT | {"MAX_IN_FLIGHT": "1000"}) as service:
        logging = asyncio.create_task(service.process.communicate())  # a full pipe would block the service
        options = ["--checks=all", f"--max-examples={EXAMPLES}", "--seed=1", "--no-color", "--generation-database=none"]
        options += [f"--exclude-operation-id={route.handler.__name__}" for route in MADE_OF.routes if is_endless(route)]
        fuzzing = await asyncio.create_subprocess_exec(
            program, "run", f"{service.api}/openapi.json", *options, cwd=tmp_path, stdout=PIPE, stderr=STDOUT
        )
        output, _ = await fuzzing.communicate()
        service.process.terminate()
        log, _ = await logging
    text = output.decode(errors="replace")
    print(text.rpartition("SUMMARY")[2])
    assert fuzzing.returncode == 0, text[-8000:]
    assert not [line for line in map(json.loads, log.splitlines()) if line["level"] == "error"]
