"""Migrations go up and down, any number of them at once, and never stand in the way of a roll-back."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from app.settings import Settings
from chassis.errors import MigrationError
from chassis.migrate import migrate
from chassis.migrations.render import render
from chassis.project import ROOT
from chassis.schema import HISTORIES, SERVICE, History, Revisions, read_revisions
from tests.chassis.processes import service_process
from tests.databases import drop_database, make_database

MIGRATE = [sys.executable, "-m", "app", "migrate"]
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%\\_version'"
HEAD = read_revisions(SERVICE.versions).head
ALL = sum(len(read_revisions(history.versions).known) for history in HISTORIES)


@pytest.fixture
async def empty_url(server_url: str) -> AsyncIterator[str]:
    """An empty database."""
    url = await make_database(server_url)
    yield url
    await drop_database(server_url, url)


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_each_revision_goes_up_down_and_up_again(empty_url: str) -> None:
    settings = Settings(database_url=SecretStr(empty_url))
    await migrate(settings)
    tables = await _value(empty_url, TABLES)
    for history in HISTORIES:
        await migrate(settings, "base", history)
    assert await _value(empty_url, TABLES) == 0
    await migrate(settings)
    assert await _value(empty_url, TABLES) == tables
    assert await _value(empty_url, "SELECT version_num FROM alembic_version") == HEAD


async def test_several_at_once_all_succeed_and_run_once(empty_url: str) -> None:
    async def run() -> list[str]:
        async with service_process(empty_url, MIGRATE, ready=False) as process:
            assert await process.until_ended() == 0, process.lines
            return [line["event"] for line in process.lines]

    events = await asyncio.gather(*(run() for _ in range(3)))
    assert sum(line.count("migrating") for line in events) == ALL
    assert sum(line.count("migration_done") for line in events) == 3 * len(HISTORIES)


async def test_a_newer_database_is_a_success_that_says_so(empty_url: str) -> None:
    await migrate(Settings(database_url=SecretStr(empty_url)))
    await _value(empty_url, "UPDATE alembic_version SET version_num = 'future'")
    async with service_process(empty_url, MIGRATE, ready=False) as process:
        assert await process.until_ended() == 0
        assert "ahead" in process.lines[-1]["reason"]
    assert await _value(empty_url, "SELECT version_num FROM alembic_version") == "future"


async def test_a_database_that_is_away_is_one_line_and_a_failure() -> None:
    async with service_process("postgresql://a@127.0.0.1:1/b", MIGRATE, ready=False) as process:
        output, errors = await process.process.communicate()
        assert process.process.returncode == 1
        assert b"database_unavailable" in output
        assert b"Traceback" not in output + errors


async def test_a_statement_that_fails_is_told_without_a_traceback(empty_url: str) -> None:
    # As on a standby, which answers but takes no writes.
    url = f"{empty_url}{'&' if '?' in empty_url else '?'}default_transaction_read_only=on"
    async with service_process(url, MIGRATE, ready=False) as process:
        output, errors = await process.process.communicate()
        assert process.process.returncode == 1
    assert b"migration_failed" in output
    assert b"is rolled back: cannot execute DROP TABLE in a read-only transaction" in errors
    assert b"Traceback" not in output + errors


async def test_a_revision_that_is_not_there_to_go_back_to_is_refused_with_those_that_are(empty_url: str) -> None:
    settings = Settings(database_url=SecretStr(empty_url))
    await migrate(settings)
    for _ in range(2):  # with something to go down from, and without
        with pytest.raises(MigrationError, match=rf"choose one of \['base', .*'{HEAD}'"):
            await migrate(settings, down_to="none such")
        await migrate(settings, down_to="base")


async def test_a_migration_without_sql_is_not_run(empty_url: str, tmp_path: Path) -> None:
    """`make migration` writes an empty one; applied as it is, its SQL of tomorrow would never run."""
    copy = tmp_path / "service"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "chart", "tests", "build"))
    environment = os.environ | {"DATABASE_URL": empty_url}
    for command, status in (("chassis.development.migration", 0), ("app", 1)):
        arguments = ["add a column"] if status == 0 else ["migrate"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", command, *arguments, cwd=copy, env=environment, stdout=PIPE, stderr=PIPE
        )
        _, errors = await process.communicate()
        assert process.returncode == status, errors
    assert b"has no SQL yet" in errors
    assert await _value(empty_url, TABLES) == 0  # nor are those before it


async def test_an_image_has_the_sql_and_no_alembic(empty_url: str, tmp_path: Path) -> None:
    """As the Dockerfile does it: the SQL is written first, and then there is nothing to write it with."""
    copy = tmp_path / "service"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "chart", "tests", "build"))
    without_alembic = "import sys; sys.modules['alembic'] = None; sys.argv[1:] = ['migrate']; import app.__main__"
    run_app = f"{without_alembic}; from runpy import run_module; run_module('app', run_name='__main__')"
    for arguments in (["-m", "chassis.migrations.render"], ["-c", run_app]):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=copy, env=os.environ | {"DATABASE_URL": empty_url}, stdout=PIPE, stderr=PIPE
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, errors
    assert output.count(b'"migrating"') == ALL
    assert await _value(empty_url, "SELECT version_num FROM alembic_version") == HEAD


@pytest.mark.parametrize("text", ["100 %", "%s %(a)s", "a : b", "it''s"])
def test_what_is_run_is_what_is_written(tmp_path: Path, text: str) -> None:
    (tmp_path / "0001_a.py").write_text(
        f"from alembic import op\nrevision = '0001'\ndown_revision = None\n"
        f"def upgrade() -> None:\n    op.execute(\"INSERT INTO t VALUES ('{text}')\")\n"
        "def downgrade() -> None: ...\n"
    )
    [step] = render(History(tmp_path, "t_version"))
    assert f"INSERT INTO t VALUES ('{text}');" in [each.strip() for each in step.upgrade]


def test_two_newest_revisions_are_an_error_that_names_them(tmp_path: Path) -> None:
    for name, parent in (("1", "None"), ("2", '"1"'), ("3", '"1"')):
        (tmp_path / f"{name}.py").write_text(f'revision: str = "{name}"\ndown_revision = {parent}\n')
    with pytest.raises(ValueError, match=r"\['2', '3'\]"):
        read_revisions(tmp_path)
    (tmp_path / "3.py").unlink()
    read_revisions.cache_clear()
    assert read_revisions(tmp_path) == Revisions("2", frozenset({"1", "2"}))
