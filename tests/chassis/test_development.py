"""The embedded PostgreSQL and `make run` leave nothing behind, however they end."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT
from contextlib import suppress
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from chassis.development.postgres import EmbeddedPostgresError, embedded_postgres
from chassis.project import ROOT
from chassis.testing.databases import drop_database, make_database
from chassis.testing.processes import PATIENCE_SECONDS, free_port
from tests.chassis.copies import copy_of_service, replace

pytestmark = pytest.mark.development
RUN = [sys.executable, "-m", "chassis.development.run"]
HOLD = (
    "import sys, time\nfrom chassis.development.postgres import embedded_postgres\n"
    "with embedded_postgres() as url:\n    print(url, flush=True)\n    sys.stdin.read()\n"
)


def folder_of(url: str) -> Path:
    """Return the folder of the data and the socket of an embedded server."""
    return Path(url.partition("?host=")[2])


async def until_gone(folder: Path) -> None:
    """Wait until the folder, which is removed last, is gone."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while os.path.exists(folder):
            await asyncio.sleep(0.05)


async def test_the_server_answers_on_a_socket_only_and_is_gone_afterwards_also_after_an_error() -> None:
    folders = [Path(sys.prefix), *Path(sys.prefix).parents, ROOT, *ROOT.parents]
    before = {folder: folder.stat().st_mode for folder in folders}
    with suppress(ZeroDivisionError), embedded_postgres() as url:
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SHOW listen_addresses") == ""
        await connection.close()
        assert folder_of(url).exists()
        assert before == {folder: folder.stat().st_mode for folder in folders}, "as root, too, none is opened to others"
        raise ZeroDivisionError
    assert not folder_of(url).exists()
    with pytest.raises(OSError, match="No such file"):
        await asyncpg.connect(url)


async def test_a_server_whose_process_is_killed_goes_too() -> None:
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, cwd=ROOT, stdin=PIPE, stdout=PIPE)
    assert holder.stdout
    url = (await holder.stdout.readline()).decode().strip()
    assert folder_of(url).exists()
    holder.kill()
    await holder.wait()
    await until_gone(folder_of(url))


def test_an_unknown_version_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("POSTGRES_VERSION", "9")
    rule = r"no embedded PostgreSQL 9; POSTGRES_VERSION may be \['18', '16'\]"
    with pytest.raises(EmbeddedPostgresError, match=rule), embedded_postgres():
        pass
    assert not list(tmp_path.iterdir())


class Run:
    """`make run` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process, self.port, self.output = process, port, ""

    @classmethod
    async def start(cls, folder: Path = ROOT, **environment: str) -> "Run":
        """Start it in a session of its own, as a terminal does."""
        port = free_port()
        ports = {"PORT": str(port), "INTERNAL_PORT": str(free_port())}
        process = await asyncio.create_subprocess_exec(
            *RUN, cwd=folder, stdout=PIPE, stderr=STDOUT, start_new_session=True, env=os.environ | ports | environment
        )
        return cls(process, port)

    async def until(self, text: str) -> str:
        """Read up to the next line that contains a text."""
        assert self.process.stdout
        async with asyncio.timeout(PATIENCE_SECONDS):
            while line := (await self.process.stdout.readline()).decode():
                self.output += line
                if text in line:
                    return line
        raise AssertionError(f"it ended without {text!r}:\n{self.output}")

    async def until_ended(self) -> int:
        """Read to the end and return the exit status."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            self.output += (await self.process.communicate())[0].decode()
        assert self.process.returncode is not None
        return self.process.returncode

    def ctrl_c(self) -> None:
        """Send SIGINT to all processes of the session, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)


def embedded_folders(tmp_path: Path) -> list[Path]:
    return list(tmp_path.glob("postgres-*"))


async def test_make_run_serves_starts_again_at_a_change_and_leaves_nothing(short_tmp: Path) -> None:
    copy = copy_of_service(short_tmp / "service")
    run = await Run.start(copy, TMPDIR=str(short_tmp))
    await run.until("ready")
    assert len(embedded_folders(short_tmp)) == 1
    async with aiohttp.ClientSession(f"http://127.0.0.1:{run.port}") as client:
        document = await (await client.get("/openapi.json")).json()
        replace(copy / "app" / "routes.py", "syntax error")
        await run.until("The code has changed")
        await run.until("SyntaxError")
        routes = (ROOT / "app" / "routes.py").read_text(encoding="utf-8")
        replace(copy / "app" / "routes.py", f"{routes}\nROUTES = ROUTES[:1]\n")
        await run.until("ready")
        shorter = await (await client.get("/openapi.json")).json()
        assert len(shorter["paths"]) < len(document["paths"])
        # If a migration changes after it was applied, the database is recreated.
        [migration, *_] = sorted((copy / "migrations" / "versions").glob("*.py"))
        replace(migration, migration.read_text(encoding="utf-8") + "\n# changed\n")
        await run.until("recreating the database")
        await run.until("ready")
        assert len(embedded_folders(short_tmp)) == 1
    run.ctrl_c()
    run.ctrl_c()
    assert await run.until_ended() == 0
    assert "Traceback" not in run.output.partition("SyntaxError")[2]
    assert not embedded_folders(short_tmp)


async def test_a_start_that_fails_ends_make_run_and_leaves_nothing(short_tmp: Path) -> None:
    run = await Run.start(TMPDIR=str(short_tmp), LOG_LEVEL="loud")
    assert await run.until_ended() == 1
    assert "LOG_LEVEL" in run.output
    assert not embedded_folders(short_tmp)


async def test_make_run_does_not_migrate_a_database_that_it_was_given(short_tmp: Path, server_url: str) -> None:
    url = await make_database(server_url)
    run = await Run.start(TMPDIR=str(short_tmp), DATABASE_URL=url)
    assert "run `python -m app migrate`" in await run.until("not_ready")
    run.process.terminate()  # only `make run`, not its child processes
    assert await run.until_ended() == 0
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regclass('alembic_version')") is None
    await connection.close()
    await drop_database(server_url, url)


async def test_make_run_says_why_it_ends_when_the_kept_server_is_gone(short_tmp: Path) -> None:
    copy = copy_of_service(short_tmp / "service")
    for arguments in ([], ["stop"]):
        command = [sys.executable, "-m", "chassis.development.kept_postgres", *arguments]
        kept = await asyncio.create_subprocess_exec(*command, cwd=copy, env=os.environ | {"TMPDIR": str(short_tmp)})
        assert await kept.wait() == 0
        if not arguments:
            run = await Run.start(copy, TMPDIR=str(short_tmp))
            await run.until("ready")
            assert len(embedded_folders(short_tmp)) == 1, "it has none of its own"
    routes = copy / "app" / "routes.py"
    replace(routes, routes.read_text(encoding="utf-8") + "\n")
    assert await run.until_ended() == 1
    assert "PostgreSQL has ended" in run.output
    assert not embedded_folders(short_tmp)
