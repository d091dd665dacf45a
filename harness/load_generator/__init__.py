"""Sends HTTP load with a small program, `generator.c`, that is compiled on first use.

The generators that packages have do not fit: hey, vegeta, oha and k6 cost as much CPU as the services that they would
measure; wrk and h2load have no fixed rate with latencies from when a request was due; wrk2, which has, counts in
milliseconds and is not maintained. The program has a closed loop and an open loop, and reports its own CPU and delay.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Required, Self, TypedDict, Unpack

from harness.one_at_a_time import one_at_a_time
from harness.processes import WITH_HARNESS
from harness.repository import TOOLS

NEW_KEY = "#" * 16
"""In a request, this is replaced by a number that no other request has."""

_SOURCE = Path(__file__).with_name("generator.c")


@dataclass(frozen=True)
class Outcome:
    """The outcome of a load.

    Attributes:
        seconds: duration of all turns; in an open loop, the planned one.
        cpu_seconds: CPU time of the generator.
        histogram: answers with a status 2xx by latency in µs. A key is the upper end of a step: 1 µs wide up to 100 µs,
            and at most 2 % wide above. In an open loop a latency counts from when the request was due.
        lateness: requests of an open loop that found a free connection, by how late they were sent; like `histogram`.
        failures: all other requests, by status or by what happened.
    """

    seconds: float
    cpu_seconds: float
    histogram: Counter[int]
    lateness: Counter[int]
    failures: Counter[str]

    @property
    def requests(self) -> int:
        return self.histogram.total() + self.failures.total()


class Shape(TypedDict, total=False):
    """The shape of a load.

    Attributes:
        connections: the connections of a closed loop, the most of an open loop.
        seconds: duration of a turn.
        rate: requests a second of an open loop, sent whether or not earlier ones were answered; 0 for a closed loop.
        warm_up: seconds of the same load before the first turn, which are not counted.
    """

    connections: Required[int]
    seconds: Required[float]
    rate: float
    warm_up: float


class Generator:
    """A running generator. It loads in turns, so that others can load between them; `start` makes one."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, requests: Sequence[bytes], ports: Sequence[int], **shape: Unpack[Shape]) -> Self:
        """Start a generator, and return when it has warmed up and all requests are answered.

        Args:
            requests: are sent in turn, over keep-alive connections.
            ports: of 127.0.0.1; the connections are divided among them.
            shape: of the load.

        Raises:
            RuntimeError: the program failed.
            SystemExit: there is no C compiler.
        """
        program = compiled()
        with NamedTemporaryFile() as file:
            file.write(b"".join(b"%d\n%b" % (len(each), each) for each in requests))
            file.flush()
            told = (shape["connections"], shape.get("rate", 0), shape.get("warm_up", 0), shape["seconds"])
            arguments = (file.name, ",".join(map(str, ports)), *told)
            process = await asyncio.create_subprocess_exec(
                *WITH_HARNESS, program, *map(str, arguments), stdin=PIPE, stdout=PIPE, stderr=PIPE, limit=2**20
            )
            started = cls(process)
            await started._until_answered()
        return started

    async def turn(self) -> None:
        """Load until the seconds of a turn are over and all requests are answered.

        Raises:
            RuntimeError: the program failed.
        """
        assert self._process.stdin
        self._process.stdin.write(b"\n")
        await self._until_answered()

    async def end(self) -> Outcome:
        """End the program, and return the outcome of all turns.

        Raises:
            RuntimeError: the program failed.
        """
        assert self._process.stdin
        self._process.stdin.close()
        told, errors = await self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"the load generator: {errors.decode()[-500:]}")
        return _outcome(json.loads(told))

    async def _until_answered(self) -> None:
        assert self._process.stdout
        if not await self._process.stdout.readline():
            await self.end()


async def send(requests: Sequence[bytes], ports: Sequence[int], **shape: Unpack[Shape]) -> Outcome:
    """Load in one turn. Arguments and errors are those of `Generator.start`."""
    generator = await Generator.start(requests, ports, **shape)
    await generator.turn()
    return await generator.end()


def _outcome(told: Mapping[str, Any]) -> Outcome:
    latency, lateness = (Counter({int(end): n for end, n in told[each].items()}) for each in ("latency", "lateness"))
    return Outcome(told["seconds"], told["cpu_seconds"], latency, lateness, Counter(told["failures"]))


def compiled() -> Path:
    """Return the program, and compile it if its source has changed.

    Raises:
        SystemExit: there is no C compiler.
    """
    program = TOOLS / f"load-generator-{hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:12]}"
    with one_at_a_time(program):
        if not program.exists():
            compiler = os.environ.get("CC") or shutil.which("cc")
            if not compiler:
                sys.exit("The load generator needs a C compiler, cc: install gcc or clang, or name one by CC.")
            subprocess.run([compiler, "-O2", "-std=gnu11", "-o", program, _SOURCE], check=True)
    return program
