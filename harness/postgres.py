"""PostgreSQL servers that can be killed, paused, copied and promoted. They are durable, as in production."""

import asyncio
import os
import shutil
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import asyncpg

from harness.ports import free_port
from harness.postgres_programs import AS_ITS_USER, own, programs
from harness.processes import kill, spawn
from harness.usage import children
from harness.waiting import PATIENCE_SECONDS, until

_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)


class Postgres:
    """A server on a TCP port that stays the same across restarts.

    Args:
        scratch: a folder for its data, readable by its user.
        logs: a folder for its log.
        options: its configuration.
        inside: a command prefix for the server, such as one that mounts file systems for it.
    """

    def __init__(
        self, scratch: Path, logs: Path, options: Mapping[str, str | int], inside: tuple[str, ...] = ()
    ) -> None:
        self.port = free_port()
        self.folder = Path(mkdtemp(dir=scratch, prefix="postgres-"))
        own(self.folder)
        self._scratch, self._log = scratch, logs / f"postgres-{self.port}.log"
        self._options = options
        self._inside = inside
        self._process: Process | None = None

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/items"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    async def set_up(self, tablespace: Path | None = None) -> None:
        """Initialize and start the server, and create the empty database that `url` names, optionally in a tablespace.

        Raises:
            TimeoutError: it does not accept connections in time.
        """
        await self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale")
        await self.start()
        async with self.connection("postgres") as connection:
            if tablespace:
                await connection.execute(f"CREATE TABLESPACE own LOCATION '{tablespace}'")
            where = "own" if tablespace else "pg_default"
            await connection.execute(f"CREATE DATABASE items TABLESPACE {where} TEMPLATE template0")

    async def copy(self, primary: "Postgres") -> None:
        """Copy the data of a running server, to become its standby."""
        source = ("-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres")
        await self._run("pg_basebackup", *source, "-D", "data", "-R", "-c", "fast")

    async def start(self) -> None:
        """Start the server, and wait until it accepts connections, including the time for recovery.

        Raises:
            TimeoutError: it does not accept connections in time.
        """

        async def answers() -> bool:
            if self._process is None or self._process.returncode is not None:
                await self._launch()  # again if it ends, because old backends may still be running after a kill
            return await self._answers()

        await until(answers, "PostgreSQL accepts connections")

    @asynccontextmanager
    async def connection(self, database: str = "items") -> AsyncIterator[Any]:
        """Yield a connection for the harness."""
        connection = await self.connect(database)
        try:
            yield connection
        finally:
            connection.terminate()

    async def connect(self, database: str = "items") -> Any:
        return await asyncpg.connect(
            host="127.0.0.1", port=self.port, user="postgres", database=database, ssl=False,
            timeout=2, command_timeout=PATIENCE_SECONDS,
        )  # fmt: skip

    async def kill(self) -> None:
        """Kill the postmaster with SIGKILL. Its backends notice and exit."""
        await kill(self._process)

    async def kill_backend(self) -> None:
        """Kill a client's backend with SIGKILL. The server then restarts all backends."""
        async with self.connection() as connection:
            os.kill(await connection.fetchval(f"SELECT pid FROM ({_CLIENTS}) AS clients LIMIT 1"), signal.SIGKILL)

    async def terminate_backends(self) -> None:
        """Terminate all connections except this one."""
        async with self.connection() as connection:
            await connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({_CLIENTS}) AS clients")

    async def connections(self) -> int:
        """Return the number of client connections, except this one."""
        async with self.connection() as connection:
            found: int = await connection.fetchval(f"SELECT count(*) FROM ({_CLIENTS}) AS clients")
            return found

    def stop(self) -> None:
        """Pause the postmaster and all backends. Connections stay open."""
        os.kill(self.pid, signal.SIGSTOP)  # first, so that it starts no new backends
        self._signal_children(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume the processes after `stop`."""
        self._signal_children(signal.SIGCONT)
        os.kill(self.pid, signal.SIGCONT)

    async def until_answering(self) -> None:
        """Wait until the server accepts connections and answers.

        Raises:
            TimeoutError: it does not answer in time.
        """
        await until(self._answers, "PostgreSQL answers")

    async def promote(self) -> None:
        """Promote a standby, and wait until it is a primary."""
        async with self.connection() as connection:
            await connection.execute("SELECT pg_promote()")

    async def end(self) -> None:
        """Stop the server and delete its data."""
        if self._process is not None and self._process.returncode is None:
            self.resume()
            self._process.send_signal(signal.SIGQUIT)  # immediate shutdown, which removes shared memory, unlike SIGKILL
            try:
                await asyncio.wait_for(self._process.wait(), 10)
            except TimeoutError:
                await kill(self._process)
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _launch(self) -> None:
        options = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": self.port, **self._options}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        program = programs(self._scratch) / "postgres"
        self._process = await spawn(
            *self._inside, *AS_ITS_USER, program, "-D", self.folder / "data", *arguments, log=self._log, cwd=self.folder
        )

    async def _answers(self) -> bool:
        try:
            async with self.connection("postgres") as connection:
                await connection.execute("SELECT 1")
        except _AWAY:
            return False
        return True

    def _signal_children(self, number: signal.Signals) -> None:
        for each in children(self.pid):
            with suppress(ProcessLookupError):  # it has ended
                os.kill(each, number)

    async def _run(self, program: str, *arguments: str) -> None:
        process = await spawn(
            *AS_ITS_USER, programs(self._scratch) / program, *arguments, log=self._log, cwd=self.folder
        )
        if await process.wait() != 0:
            raise RuntimeError(f"{program}: {self._log.read_text(errors='replace')[-500:]}")


_CLIENTS = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
