"""Processes that end with the harness, whatever ends it."""

import asyncio
import itertools
import os
import re
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# The kernel kills the child when this program ends, be it by kill -9.
WITH_HARNESS = ("setpriv", "--pdeathsig", "KILL")
PATIENCE_SECONDS = 60
"""Bounds a wait for something that happens when all is well."""
POLL_SECONDS = 0.01
"""Between two questions to another process, which has no event to await."""


# Below what systems give to their clients, which might have it before it is listened on; and each process counts from a
# place of its own, as tests run side by side.
_FIRST_PORT, _PORTS = 10_000, 22_768
_NUMBERS = itertools.count(1009 * os.getpid())


def free_port() -> int:
    """A port that nobody listens on; another one each time."""
    while True:
        port = _FIRST_PORT + next(_NUMBERS) % _PORTS
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


async def spawn(*command: str | Path, log: Path, cwd: Path, environment: Mapping[str, str] | None = None) -> Process:
    """Starts a process in a session of its own, so that Ctrl-C reaches it through the harness only."""
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            cwd=cwd,
            env=os.environ | dict(environment or {}),
            stdin=DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


async def kill(process: Process | None) -> None:
    """Ends a process, if there is one, by kill -9."""
    if process is not None and process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


def children(pid: int) -> list[int]:
    """The processes that a process has started and that are not gone."""
    with suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def family(pid: int) -> list[int]:
    """A process and all below it."""
    return [pid, *(each for child in children(pid) for each in family(child))]


def memory(pid: int, name: str = "VmRSS") -> float:
    """MiB that a process and those below it have in memory; `VmHWM` is the most that they ever had."""
    return sum(_kibibytes(each, name) for each in family(pid)) / 1024


def descriptors(pid: int) -> int:
    """Files and sockets that a process and those below it have open."""
    return sum(len(os.listdir(f"/proc/{each}/fd")) for each in family(pid))


def _kibibytes(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
