"""Programs in a pseudo-terminal, which can be typed into, as a developer does."""

import asyncio
import os
import pty
import sys
import termios
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from chassis.project import ROOT
from chassis.testing.processes import PATIENCE_SECONDS, ended_with_the_tests

CTRL_C, CTRL_D = "\x03", "\x04"
# Makes the terminal the one that controls the session, so that Ctrl-C becomes a signal.
_CONTROLLED = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A pseudo-terminal with a program in it.

    Attributes:
        process: the program.
        output: what it has printed, from the place that `until` has read up to.
    """

    def __init__(self, process: Process, file: int) -> None:
        self.process, self.output = process, ""
        self._file, self._more = file, asyncio.Event()
        asyncio.get_running_loop().add_reader(file, self._read)

    def _read(self) -> None:
        try:
            self.output += os.read(self._file, 65536).decode(errors="replace")
        except OSError:  # nobody has the terminal open any more
            asyncio.get_running_loop().remove_reader(self._file)
        self._more.set()

    async def until(self, text: str) -> str:
        """Wait until a text is printed, and return what is printed up to its end."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while text not in self.output:
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"it did not print {text!r}, but: {self.output}") from None
        before, _, self.output = self.output.partition(text)
        return before + text

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._file, keys.encode())

    async def until_ended(self) -> int:
        """Wait for the end of the program, and return its exit status."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()

    @property
    def shows_what_is_typed(self) -> bool:
        """Whether the terminal echoes, and hands over whole lines, as a shell leaves it to programs."""
        flags = termios.ECHO | termios.ICANON
        present: int = termios.tcgetattr(self._file)[3]
        return present & flags == flags


@asynccontextmanager
async def terminal(*command: str, folder: Path = ROOT, **environment: str) -> AsyncIterator[Terminal]:
    """Run a program in a terminal; it is killed when the block ends.

    Args:
        command: the program and its arguments.
        folder: where it runs.
        environment: further variables.
    """
    ours, theirs = pty.openpty()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _CONTROLLED, *command,
            cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env=os.environ | {"TERM": "dumb"} | environment,
        )  # fmt: skip
        os.close(theirs)
        with ended_with_the_tests(process):
            yield Terminal(process, ours)
        await process.wait()
    finally:
        asyncio.get_running_loop().remove_reader(ours)
        os.close(ours)
