"""PgBouncer in transaction mode, if a version is installed that supports prepared statements in it."""

import asyncio
import os
import re
import shutil
from asyncio.subprocess import Process
from pathlib import Path
from tempfile import mkdtemp

import asyncpg

from harness.ports import free_port
from harness.postgres import Postgres
from harness.postgres_programs import AS_ITS_USER, own
from harness.processes import kill, spawn
from harness.waiting import until

_OLDEST = (1, 21)
NEEDED = f"needs PgBouncer {'.'.join(map(str, _OLDEST))} or newer on PATH or as $PGBOUNCER"
# Clients send their timeouts as startup parameters. PgBouncer rejects those that it is not told to ignore.
_CONFIGURATION = """
[databases]
items = host=127.0.0.1 port={database} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 200
max_prepared_statements = 100
ignore_startup_parameters = extra_float_digits,statement_timeout,lock_timeout,idle_in_transaction_session_timeout
"""


async def program() -> str | None:
    """Return the path of PgBouncer, or None if it is missing or too old."""
    found = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer")
    if not found:
        return None
    process = await asyncio.create_subprocess_exec(found, "--version", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    version = re.search(r"(\d+)\.(\d+)", output.decode())
    return found if version and (int(version[1]), int(version[2])) >= _OLDEST else None


class PgBouncer:
    """A connection pooler in front of a server, with fewer server connections than clients."""

    def __init__(self, found: str, scratch: Path, logs: Path, database: Postgres) -> None:
        self.port = free_port()
        self._found = found
        self._folder = Path(mkdtemp(dir=scratch, prefix="pgbouncer-"))
        own(self._folder)
        self._log = logs / "pgbouncer.log"
        self._process: Process | None = None
        configuration = _CONFIGURATION.format(port=self.port, database=database.port)
        (self._folder / "pgbouncer.ini").write_text(configuration)

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/items"

    async def start(self) -> None:
        """Start PgBouncer, and wait until it forwards a query."""
        program = self._folder / "pgbouncer"
        if not program.exists():
            shutil.copy(self._found, program)  # readable by PostgreSQL's user
        self._process = await spawn(*AS_ITS_USER, program, "pgbouncer.ini", log=self._log, cwd=self._folder)
        await until(self._answers, "PgBouncer answers")

    async def kill(self) -> None:
        await kill(self._process)

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.url, statement_cache_size=0, timeout=2)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        connection.terminate()
        return True
