"""`make db` keeps a PostgreSQL between commands, and leaves nothing behind."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from chassis.development.postgres import folder_of
from chassis.project import ROOT
from chassis.testing.processes import PATIENCE_SECONDS
from tests.chassis.copies import copy_of_service

pytestmark = pytest.mark.development
DB = "chassis.development.kept_postgres"
# A run of tests, which tells its database, and may be killed while it has one.
TESTS = """
import sys
from chassis.testing.databases import migrated_database, postgres_server
with postgres_server() as server, migrated_database(server) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def python(folder: Path, *arguments: str, **environment: str) -> str:
    """Run Python in a checkout, and return the output."""
    variables = os.environ | {"TMPDIR": str(folder.parent)} | environment
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def address(checkout: Path) -> str:
    """Return the address that the checkout's file has."""
    return (checkout / "build" / "postgres").read_text("utf-8")


async def until_gone(folder: Path) -> None:
    """Wait until the folder of a server, which is removed last, is gone."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while folder.exists():
            await asyncio.sleep(0.05)


async def names(url: str) -> set[str]:
    """Return the names of a server's databases, but for its own."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("SELECT datname FROM pg_database WHERE datname !~ '^(postgres|template.)$'")
    finally:
        await connection.close()
    return {row[0] for row in rows}


@pytest.fixture
def checkout(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout of the service in which no server runs."""
    monkeypatch.delenv("POSTGRES_VERSION", raising=False)
    copy = copy_of_service(short_tmp / "service")
    yield copy
    python(copy, "-m", DB, "stop")
    assert not list(short_tmp.glob("postgres-*"))


async def test_the_server_stays_until_it_is_stopped_and_listens_on_a_socket_only(checkout: Path) -> None:
    said = python(checkout, "-m", DB)
    url = address(checkout)
    assert url in said
    assert "make db-stop" in said
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SHOW listen_addresses") == ""
    await connection.close()
    python(checkout, "-m", DB)
    assert address(checkout) == url, "it runs already"
    assert "has stopped" in python(checkout, "-m", DB, "stop")
    assert not folder_of(url).exists()
    assert not (checkout / "build" / "postgres").exists()
    assert "nothing to stop" in python(checkout, "-m", DB, "stop")


async def test_make_clean_ends_the_server_and_so_does_removing_the_checkout(checkout: Path) -> None:
    for remove in (checkout / "build", checkout):
        kept = shutil.copytree(checkout, checkout.with_name("kept"))
        python(checkout, "-m", DB)
        url = address(checkout)
        shutil.rmtree(remove)
        await until_gone(folder_of(url))
        shutil.rmtree(checkout, ignore_errors=True)
        kept.rename(checkout)


async def test_checkouts_side_by_side_have_servers_of_their_own(checkout: Path) -> None:
    other = copy_of_service(checkout.with_name("other"))
    for each in (checkout, other):
        python(each, "-m", DB)
    assert address(checkout) != address(other)
    python(other, "-m", DB, "stop")
    await names(address(checkout))


async def test_a_crash_of_the_machine_does_not_stop_the_next_start(checkout: Path) -> None:
    python(checkout, "-m", DB)
    url = address(checkout)
    # As after a crash: the file and the folder are there, the processes are not.
    python(checkout, "-m", DB, "stop")
    folder_of(url).mkdir()
    (folder_of(url) / "data").mkdir()
    (folder_of(url) / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n", "utf-8")
    (checkout / "build" / "postgres").write_text(url, "utf-8")

    assert str(folder_of(url)) not in python(checkout, "-c", TESTS)
    python(checkout, "-m", DB)
    assert address(checkout) != url
    await names(address(checkout))
    assert not folder_of(url).exists()


async def test_another_version_of_postgresql_has_a_server_of_its_own(checkout: Path) -> None:
    python(checkout, "-m", DB)
    url = address(checkout)
    assert url.partition("?")[2] not in python(checkout, "-c", TESTS, POSTGRES_VERSION="16")
    assert "PostgreSQL 16" in python(checkout, "-m", DB, POSTGRES_VERSION="16")
    assert not folder_of(url).exists()


async def test_tests_copy_a_template_that_follows_the_migrations_and_drop_what_was_left(checkout: Path) -> None:
    python(checkout, "-m", DB)
    url = address(checkout)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", TESTS, cwd=checkout, stdin=PIPE, stdout=PIPE, stderr=STDOUT
    )
    assert process.stdout
    async with asyncio.timeout(PATIENCE_SECONDS):
        lines = [(await process.stdout.readline()).decode()]
        while "postgresql://" not in lines[-1]:
            lines.append((await process.stdout.readline()).decode())
    tests = lines[-1].strip()
    connection = await asyncpg.connect(tests)
    assert await connection.fetchval("SELECT to_regclass('items')") == "items"
    await connection.close()
    [left] = await names(url) - {name for name in await names(url) if name.startswith("migrated_")}
    process.send_signal(signal.SIGKILL)
    await process.wait()

    assert "migrating" not in python(checkout, "-c", TESTS), "the template is there already"
    [first] = await names(url)
    assert left != first

    migration = checkout / "migrations" / "versions" / "0001_create_items.py"
    migration.write_text(migration.read_text("utf-8").replace("description", "remark"), "utf-8")
    assert "migrating" in python(checkout, "-c", TESTS)
    [second] = await names(url)
    assert first != second


async def test_make_run_keeps_its_rows_on_the_server_that_make_db_keeps(checkout: Path) -> None:
    python(checkout, "-m", DB)
    prepare = (
        "import os\nfrom chassis.development.database import development_database\n"
        "with development_database() as migrate:\n    assert migrate()\n    print(os.environ['DATABASE_URL'])\n"
    )
    url = python(checkout, "-c", prepare).splitlines()[-1]
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO items (name, description, price_cents) VALUES ('Lamp', '', 5)")
    await connection.close()

    async def rows() -> int:
        connection = await asyncpg.connect(url)
        try:
            count: int = await connection.fetchval("SELECT count(*) FROM items")
        finally:
            await connection.close()
        return count

    assert "migrating" not in python(checkout, "-c", prepare)
    assert await rows() == 1
    folder = checkout / "migrations" / "versions"
    added = (ROOT / "migrations" / "versions" / "0001_create_items.py").read_text("utf-8")
    added = added.replace("0001", "0002").replace("down_revision = None", 'down_revision = "0001"')
    (folder / "0002_more.py").write_text(added.replace("items", "stocks"), "utf-8")
    assert "recreating" not in python(checkout, "-c", prepare)
    assert await rows() == 1, "a migration that is added leaves rows alone"
    (folder / "0002_more.py").write_text(added.replace("items", "shelves"), "utf-8")
    assert "recreating" in python(checkout, "-c", prepare)
    assert await rows() == 0, "a migration has changed that was applied"
