"""Migrations run up and down, also concurrently, and never prevent a rollback."""

import asyncio
import os
import shlex
import shutil
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from app.settings import Settings
from chassis.database import Connection
from chassis.development.postgres import embedded_postgres
from chassis.errors import MigrationError
from chassis.migrations.render import render
from chassis.migrations.revisions import HISTORIES, RENDERED, SERVICE, History, Revisions, read_revisions
from chassis.migrations.run import migrate
from chassis.project import ROOT
from chassis.testing.databases import drop_database, make_database, new_name, with_database
from chassis.testing.processes import PATIENCE_SECONDS, service_process
from tests.chassis.histories import write_history

MIGRATE = [sys.executable, "-m", "app", "migrate"]
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '%\\_version'"
SCHEMA = """
    WITH tables AS (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
        AND relname <> ALL ($1))
    SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
            pg_get_expr(adbin, adrelid)
        FROM pg_attribute LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
        WHERE attrelid IN (TABLE tables) AND attnum > 0 AND NOT attisdropped
    UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), NULL, NULL, NULL
        FROM pg_constraint WHERE conrelid IN (TABLE tables)
    UNION ALL SELECT indrelid::regclass::text, NULL, pg_get_indexdef(indexrelid), indisvalid, NULL, NULL
        FROM pg_index WHERE indrelid IN (TABLE tables)
    ORDER BY 1, 2, 3
"""
LONG_WAIT = """
    SELECT true FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE $1
        AND clock_timestamp() - query_start > make_interval(secs => $2)
"""
HEAD = read_revisions(SERVICE.versions).head
ALL = sum(len(read_revisions(history.versions).known) for history in HISTORIES)


@pytest.fixture
async def empty_url(server_url: str) -> AsyncIterator[str]:
    """An empty database."""
    url = await make_database(server_url)
    yield url
    await drop_database(server_url, url)


@pytest.fixture
def use_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that replaces the service's migrations by others, rendered when they run, as in development."""

    def use(*upgrades: str) -> None:
        monkeypatch.setattr("chassis.migrations.run.HISTORIES", [write_history(tmp_path, *upgrades)])
        monkeypatch.setattr("chassis.migrations.run.RENDERED", tmp_path / "none")

    return use


def as_role(url: str, name: str) -> str:
    """Return the address with another role, whose password is its name."""
    address = urlsplit(url)
    return address._replace(netloc=f"{name}:{name}@{address.netloc.rpartition('@')[2]}").geturl()


@asynccontextmanager
async def _connection(url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _value(url: str, query: str) -> object:
    async with _connection(url) as connection:
        return await connection.fetchval(query)


async def _schema(url: str) -> list[str]:
    """Return the columns, constraints and indexes, except those of the version tables."""
    async with _connection(url) as connection:
        rows = await connection.fetch(SCHEMA, [history.table for history in HISTORIES])
    return [" ".join(str(value) for value in row) for row in rows]


async def test_each_revision_goes_down_and_up_again_and_leaves_the_same_schema(empty_url: str) -> None:
    settings = Settings(database_url=SecretStr(empty_url))
    await migrate(settings)
    schema = await _schema(empty_url)
    for history in HISTORIES:
        revisions = ["base", *(step.revision for step in render(history))]
        for parent in reversed(revisions[:-1]):
            await migrate(settings, parent, history)
            await migrate(settings)
            assert await _schema(empty_url) == schema, f"{history.versions}: down to {parent} and up again"
    assert await _value(empty_url, "SELECT version_num FROM alembic_version") == HEAD
    for history in HISTORIES:
        await migrate(settings, "base", history)
    assert await _schema(empty_url) == []


CREATE = 'op.execute("CREATE TABLE t (a text)")'
ALTER = 'op.execute("ALTER TABLE t ADD b text")'
INDEX = 'with op.get_context().autocommit_block():\n    op.execute("CREATE INDEX CONCURRENTLY t_a ON t (a)")'


async def test_of_ten_at_once_one_runs_and_all_succeed(empty_url: str, use_history: Callable[..., None]) -> None:
    """CREATE INDEX CONCURRENTLY waits for all other transactions. The nine waiting migrations must not have one open.

    The writer's transaction delays the index until all ten have started, for longer than the lock timeout.
    """
    timeout = 0.1
    settings = Settings(database_url=SecretStr(empty_url), migration_lock_timeout_seconds=timeout)
    use_history(CREATE)
    await migrate(settings)
    use_history(CREATE, INDEX, ALTER)
    with capture_logs() as logs:
        async with (
            asyncio.timeout(PATIENCE_SECONDS),
            _connection(empty_url) as writer,
            _connection(empty_url) as observer,
            asyncio.TaskGroup() as migrations,
            writer.transaction(),
        ):
            await writer.execute("INSERT INTO t VALUES ('a')")
            for _ in range(10):
                migrations.create_task(migrate(settings))
            while len(logs) < 10 or not await observer.fetchval(LONG_WAIT, "CREATE INDEX%", timeout):
                await asyncio.sleep(0.01)
    assert Counter(line["event"] for line in logs) == {"migrating": 2, "migration_waiting": 9, "migration_done": 10}
    assert await _value(empty_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 't_a'::regclass") is True


async def test_a_migration_that_waits_for_a_lock_gives_up_and_lets_requests_through(
    empty_url: str, use_history: Callable[..., None]
) -> None:
    timeout = 0.5
    settings = Settings(database_url=SecretStr(empty_url), migration_lock_timeout_seconds=timeout)
    use_history(CREATE)
    await migrate(settings)
    use_history(CREATE, ALTER)
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        _connection(empty_url) as old,
        _connection(empty_url) as reader,
        old.transaction(),
    ):
        await old.execute("SELECT FROM t")  # holds ACCESS SHARE until the transaction ends
        began = time.monotonic()
        migration = asyncio.create_task(migrate(settings))
        while not migration.done() and not await reader.fetchval(LONG_WAIT, "ALTER%", 0):
            await asyncio.sleep(0.01)
        await reader.execute("SELECT FROM t")  # queues behind the migration, and runs before the old transaction ends
        with pytest.raises(MigrationError, match=r"is rolled back.*MIGRATION_LOCK_TIMEOUT_SECONDS.*\n.*ALTER TABLE t"):
            await migration
        assert timeout <= time.monotonic() - began < 10 * timeout
    assert await _value(empty_url, "SELECT version_num FROM test_version") == "0001"
    await migrate(settings)
    assert await _value(empty_url, "SELECT version_num FROM test_version") == "0002"


async def test_what_a_failed_revision_did_outside_of_its_transaction_is_told(
    empty_url: str, use_history: Callable[..., None]
) -> None:
    fail = 'op.execute("SELECT 1 / 0")'
    use_history(f"{CREATE}\n{INDEX}\n{fail}")
    with pytest.raises(MigrationError, match="before that stays: division by zero"):
        await migrate(Settings(database_url=SecretStr(empty_url)))
    assert await _value(empty_url, "SELECT 't_a'::regclass::text") == "t_a"


async def test_a_role_s_timeouts_do_not_end_a_migration(empty_url: str, use_history: Callable[..., None]) -> None:
    """docs/chassis/how-to/use-pgbouncer.md recommends such timeouts for the role of the service."""
    role, sleep = new_name(), 'op.execute("SELECT pg_sleep(0.2)")'
    settings = Settings(database_url=SecretStr(as_role(empty_url, role)))
    async with _connection(empty_url) as owner, _connection(empty_url) as writer:
        await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'; GRANT ALL ON SCHEMA public TO {role}")
        timeouts = await owner.fetch(
            "SELECT name FROM pg_settings WHERE name IN "
            "('lock_timeout', 'statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')"
        )
        for row in timeouts:
            await owner.execute(f"ALTER ROLE {role} SET {row['name']} = '50ms'")
        try:
            use_history(CREATE)
            await migrate(settings)
            use_history(CREATE, f"{sleep}\n{INDEX}\n{sleep}")
            async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as migrations, writer.transaction():
                await writer.execute("INSERT INTO t VALUES ('a')")  # the index has to wait for this transaction
                migrations.create_task(migrate(settings))
                while not await owner.fetchval(LONG_WAIT, "CREATE INDEX%", 0.2):
                    await asyncio.sleep(0.01)
            assert await owner.fetchval("SELECT version_num FROM test_version") == "0002"
        finally:
            await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_a_newer_database_is_a_success_that_says_so(empty_url: str) -> None:
    await migrate(Settings(database_url=SecretStr(empty_url)))
    await _value(empty_url, "UPDATE alembic_version SET version_num = 'future'")
    async with service_process(empty_url, MIGRATE, ready=False) as process:
        assert await process.until_ended() == 0
        assert "ahead" in process.lines[-1]["reason"]
    assert await _value(empty_url, "SELECT version_num FROM alembic_version") == "future"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "no-such-host.invalid"])
async def test_a_database_that_stays_away_is_waited_for_and_a_failure(host: str) -> None:
    bound = {"MIGRATION_CONNECT_TIMEOUT_SECONDS": "0.5"}
    async with service_process(f"postgresql://a@{host}/b", MIGRATE, ready=False, environment=bound) as process:
        output, errors = await process.process.communicate()
        assert process.process.returncode == 1
        assert output.count(b'"migration_waiting"') == 1
        assert output.count(b'"database_unavailable"') == 1
        assert b"Traceback" not in output + errors


@pytest.mark.development
async def test_a_server_that_comes_up_later_is_waited_for_and_a_refusal_is_not() -> None:
    with embedded_postgres() as server:
        data = Path(parse_qs(urlsplit(server).query)["host"][0], "data")
        async with _connection(server) as operator:
            await operator.execute("CREATE ROLE clerk LOGIN PASSWORD 'right'")
        (data / "pg_hba.conf").write_text("local all clerk scram-sha-256\nlocal all all trust\n", encoding="utf-8")
        start = shlex.split((data / "postmaster.opts").read_text(encoding="utf-8"))
        await _stop(data)
        (data / "standby.signal").touch()
        with capture_logs() as logs:
            async with asyncio.timeout(PATIENCE_SECONDS):
                no_socket = asyncio.create_task(migrate(Settings(database_url=SecretStr(server))))
                await _until_logged(logs, 1)
                # A standby that does not serve: it says that it is starting up until it is promoted.
                process = await asyncio.create_subprocess_exec(
                    *start, "-c", "hot_standby=off", cwd="/", stderr=PIPE, user=data.stat().st_uid
                )
                assert process.stderr
                while b"entering standby mode" not in await process.stderr.readline():
                    pass
                starting = asyncio.create_task(migrate(Settings(database_url=SecretStr(server))))
                await _until_logged(logs, 2)
                assert not no_socket.done()
                (data / "promote").touch()
                process.send_signal(signal.SIGUSR1)
                await asyncio.gather(no_socket, starting)
        reasons = [line["reason"] for line in logs if line["event"] == "migration_waiting"]
        assert "No such file" in reasons[0]
        assert "not" in reasons[1]
        for wrong, said in ((as_role(server, "clerk"), "password"), (with_database(server, "none"), "does not exist")):
            settings = Settings(database_url=SecretStr(wrong), migration_connect_timeout_seconds=3600)
            with capture_logs() as logs, pytest.raises(MigrationError, match=said):
                await migrate(settings)
            assert [line["event"] for line in logs] == ["database_unavailable"]


async def _stop(data: Path) -> None:
    """Stop the server of a data folder."""
    running = data / "postmaster.pid"
    os.kill(int(running.read_text(encoding="utf-8").split()[0]), signal.SIGINT)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while running.exists():
            await asyncio.sleep(0.01)


async def _until_logged(logs: Sequence[MutableMapping[str, object]], count: int) -> None:
    """Wait until this many migrations wait for the server."""
    while [line["event"] for line in logs].count("migration_waiting") < count:
        await asyncio.sleep(0.01)


async def test_a_statement_that_fails_is_told_without_a_traceback(empty_url: str) -> None:
    # Like a standby: it accepts connections but no writes.
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
    for _ in range(2):  # with revisions to downgrade, and without
        with pytest.raises(MigrationError, match=rf"choose one of \['base', .*'{HEAD}'"):
            await migrate(settings, down_to="none such")
        await migrate(settings, down_to="base")


async def test_a_migration_without_sql_is_not_run(empty_url: str, tmp_path: Path) -> None:
    """`make migration` writes an empty revision. Once applied, SQL that is added to it later would never run."""
    copy = tmp_path / "service"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "chart", "tests", "build", RENDERED.name))
    environment = os.environ | {"DATABASE_URL": empty_url}
    for command, status in (("chassis.development.migration", 0), ("app", 1)):
        arguments = ["add a column"] if status == 0 else ["migrate"]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", command, *arguments, cwd=copy, env=environment, stdout=PIPE, stderr=PIPE
        )
        _, errors = await process.communicate()
        assert process.returncode == status, errors
    assert b"has no SQL yet" in errors
    assert await _value(empty_url, TABLES) == 0  # the revisions before it do not run either


@pytest.mark.parametrize(("missing", "there"), [("downgrade", "upgrade"), ("upgrade", "downgrade")])
def test_a_revision_without_a_direction_is_named_with_the_way_out(tmp_path: Path, missing: str, there: str) -> None:
    (tmp_path / "0001_a.py").write_text(f"revision = '0001'\ndown_revision = None\ndef {there}() -> None: ...\n")
    with pytest.raises(MigrationError, match=rf"migration 0001 has no function {missing}: write .* in .*0001_a\.py"):
        render(History(tmp_path, "t_version"))


async def test_an_image_has_the_sql_and_no_alembic(empty_url: str, tmp_path: Path) -> None:
    """As in the Dockerfile: the SQL is rendered first, and the migrations then run without Alembic."""
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


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_is_not_utf_8_is_refused_with_a_sentence(server_url: str, encoding: str) -> None:
    name = new_name()
    url = with_database(server_url, name)
    server = await asyncpg.connect(server_url)
    await server.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    sentence = f"The database's encoding is {encoding}, in which some text cannot be stored. Use a database whose"
    try:
        environment = {**os.environ, "DATABASE_URL": url}
        process = await asyncio.create_subprocess_exec(*MIGRATE, cwd=ROOT, env=environment, stderr=PIPE, stdout=PIPE)
        _, errors = await process.communicate()
        assert process.returncode == 1
        assert sentence in errors.decode()
        async with service_process(url, ready=False) as service:
            line = await service.until_logged("not_ready")
            assert line["waiting_for"].startswith(f"the database: {sentence}")
            async with aiohttp.ClientSession() as client:
                assert (await client.get(f"{service.internal}/readyz")).status == 503
    finally:
        await drop_database(server_url, url)
        await server.close()
