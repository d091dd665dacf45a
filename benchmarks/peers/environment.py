"""The environment of the peers, and the commands that start them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.environments import python_with
from harness.one_at_a_time import one_at_a_time
from harness.repository import BUILD

_GO = Path(__file__).with_name("go")
_LOCK = Path(__file__).with_name("requirements.txt")

_UVICORN = ("-m", "uvicorn", "--no-access-log", "--log-level", "warning")
_GRANIAN = ("-m", "granian", "--interface", "asgi", "--no-access-log", "--log-level", "warning")
COMMANDS = {
    "aiohttp": ("-m", "benchmarks.peers.aiohttp"),
    "fastapi": (*_UVICORN, "benchmarks.peers.fastapi:app"),
    "fastapi-sqlalchemy": (*_UVICORN, "benchmarks.peers.fastapi_sqlalchemy:app"),
    "litestar": (*_GRANIAN, "benchmarks.peers.litestar:app"),
    "blacksheep": (*_UVICORN, "--factory", "benchmarks.peers.blacksheep:plain"),
    "blacksheep-fast": (*_UVICORN, "--factory", "benchmarks.peers.blacksheep:fast"),
    "go": (),
    "floor-static": ("-m", "benchmarks.peers.floor_static"),
}
"""Arguments of Python, by subject; `go` is a program of its own."""


def python() -> str:
    """Return the interpreter of the peers. Creates their environment if it does not exist.

    Raises:
        subprocess.CalledProcessError: the environment cannot be created.
    """
    return str(python_with("peers", _LOCK))


def command(name: str, port: int | str) -> tuple[str, ...]:
    """Return the command that starts a peer on a port of 127.0.0.1, from the repository's folder.

    The peer reads PORT, DATABASE_URL and DATABASE_POOL_SIZE from the environment.

    Raises:
        subprocess.CalledProcessError: the environment cannot be created, or the program in Go cannot be built.
        SystemExit: the peer is `go`, and Go is not installed.
    """
    if name == "go":
        return (str(_go_program()),)
    arguments = COMMANDS[name]
    at = ("--port", str(port)) if arguments[1] in {"uvicorn", "granian"} else ()
    return (python(), *arguments, *at)


def _go_program() -> Path:
    """Build the peer in Go if it is missing or outdated, and return its path."""
    if not (go := shutil.which("go")):
        sys.exit(f"Go is not on PATH. Install Go to build the peer in {_GO}.")
    program = BUILD / "peers" / "go"
    build = (go, "build", "-buildvcs=false", "-o", program)  # go build rebuilds only what has changed
    with one_at_a_time(program):
        subprocess.run(build, cwd=_GO, env=os.environ | {"CGO_ENABLED": "0"}, check=True)
    return program
