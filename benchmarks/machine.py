"""Describes the machine, and divides its cores between the servers and the load."""

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness import machine as this
from harness.postgres_programs import postgres_version

_PACKAGES = ("aiohttp", "asyncpg", "uvloop", "pydantic", "structlog", "prometheus-client", "gunicorn")


@dataclass(frozen=True)
class Cores:
    """Numbers of cores.

    Attributes:
        server: the cores of the subjects.
        load: the cores of the load generator, PostgreSQL and the harness.
    """

    server: tuple[int, ...]
    load: tuple[int, ...]


def cores() -> Cores:
    """Divide the cores that this process may use into two halves, keeping the threads of a core together.

    Raises:
        SystemExit: there is only one core.
    """
    mine = sorted(os.sched_getaffinity(0), key=lambda core: (_siblings(core), core))
    if len(mine) < 2:
        sys.exit("A benchmark needs two cores or more: one for what is measured, one for the load.")
    return Cores(tuple(mine[: len(mine) // 2]), tuple(mine[len(mine) // 2 :]))


def pinned(to: Iterable[int]) -> tuple[str, ...]:
    """Return a command prefix that runs a command on these cores."""
    return ("taskset", "--cpu-list", ",".join(map(str, to)))


def machine(cores: Cores, folder: Path) -> dict[str, str]:
    """Return the properties of the machine by name. `folder` is the data folder of PostgreSQL."""
    shared = any(_siblings(one) == _siblings(other) for one in cores.server for other in cores.load)
    return {
        "processor": this.processor(),
        "cores": str(len(cores.server) + len(cores.load)),
        "server_cores": ", ".join(map(str, cores.server)),
        "load_cores": ", ".join(map(str, cores.load)),
        "threads": "a server core and a load core are threads of one core" if shared else "no core is shared",
        "memory": this.memory(),
        "kernel": this.kernel(),
        "database_disk": _output("stat", "--file-system", "--format=%T", str(folder)),
    }


def versions(python: Path) -> dict[str, str]:
    """Return the versions of the service's Python and libraries, and of PostgreSQL."""
    program = "import platform, sys; from importlib.metadata import version; print(platform.python_version(), "
    program += "*(version(name) for name in sys.argv[1:]))"
    told = _output(str(python), "-c", program, *_PACKAGES).split()
    names = ("python", *_PACKAGES)
    return dict(zip(names, told, strict=True)) | {"postgresql": postgres_version().removeprefix("PostgreSQL ")}


def _siblings(core: int) -> str:
    file = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    return file.read_text().strip() if file.exists() else str(core)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
