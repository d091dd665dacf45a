"""Starts processes that end together with the harness, even if it is killed."""

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

# Makes the kernel kill the child when this program ends, even by SIGKILL.
WITH_HARNESS = ("setpriv", "--pdeathsig", "KILL")
PATIENCE_SECONDS = 60
"""Timeout for events that should always happen."""
POLL_SECONDS = 0.01
"""Interval for polling another process, when there is no event to wait for."""


# Below the ephemeral ports, so that no client takes a port before a server listens on it. Each process starts at a
# different port, because tests run in parallel.
_FIRST_PORT, _PORTS = 10_000, 22_768
_NUMBERS = itertools.count(1009 * os.getpid())


def free_port() -> int:
    """Return a port that nothing listens on, a different one for each call."""
    while True:
        port = _FIRST_PORT + next(_NUMBERS) % _PORTS
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


async def spawn(*command: str | Path, log: Path, cwd: Path, environment: Mapping[str, str] | None = None) -> Process:
    """Start a process in a separate session, so that Ctrl-C stops it only through the harness."""
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
    """Kill a process with SIGKILL, if there is one."""
    if process is not None and process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


def children(pid: int) -> list[int]:
    """Return the running children of a process."""
    with suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def family(pid: int) -> list[int]:
    """Return a process and all of its descendants."""
    return [pid, *(each for child in children(pid) for each in family(child))]


def memory(pid: int, name: str = "VmRSS") -> float:
    """Return the memory of a process and its descendants in MiB; `VmHWM` is the peak."""
    return sum(_kibibytes(each, name) for each in family(pid)) / 1024


def descriptors(pid: int) -> int:
    """Return the number of files and sockets that a process and its descendants have open."""
    return sum(len(os.listdir(f"/proc/{each}/fd")) for each in family(pid))


def _kibibytes(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
