"""Starts processes that end together with the harness, even if it is killed."""

import asyncio
import os
import resource
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# Makes the kernel kill the child when this program ends, even by SIGKILL.
WITH_HARNESS = ("setpriv", "--pdeathsig", "KILL")


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


def allow_many_sockets() -> None:
    """Raise this process's limit of open files to the highest allowed one: each client has a socket."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
