"""Runs external programs."""

import asyncio
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

_MOST_TOLD = 1500


class CommandError(Exception):
    """A program failed; the message is the end of its output."""


async def run_command(
    *command: str | Path,
    given: str | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program and return its standard output.

    Args:
        given: its standard input.
        folder: its working directory.
        environment: variables beyond those of this process.

    Raises:
        CommandError: the exit status is not 0.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL if given is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env=os.environ | dict(environment or {}),
    )
    try:
        output, errors = await process.communicate(None if given is None else given.encode())
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        name = shlex.join(map(str, (Path(command[0]).name, *command[1:])))
        raise CommandError(f"{name[:200]}: {(output + errors).decode(errors='replace')[-_MOST_TOLD:].strip()}")
    return output.decode()
