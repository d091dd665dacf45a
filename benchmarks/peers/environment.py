"""The peers' own environment, and what starts each of them in it."""

from pathlib import Path

from benchmarks.environments import python_with

_LOCK = Path(__file__).with_name("requirements.txt")

_UVICORN = ("-m", "uvicorn", "--no-access-log", "--log-level", "warning")
_GRANIAN = ("-m", "granian", "--interface", "asgi", "--no-access-log", "--log-level", "warning")
COMMANDS = {
    "aiohttp": ("-m", "benchmarks.peers.aiohttp"),
    "fastapi": (*_UVICORN, "benchmarks.peers.fastapi.app:app"),
    "fastapi-sqlalchemy": (*_UVICORN, "benchmarks.peers.fastapi_sqlalchemy.app:app"),
    "litestar": (*_GRANIAN, "benchmarks.peers.litestar.app:app"),
    "blacksheep": (*_UVICORN, "benchmarks.peers.blacksheep.app:app"),
    "floor-static": ("-m", "benchmarks.peers.floor_static"),
}
"""Python's arguments by subject."""


def python() -> str:
    """The peers' interpreter; their environment is made where it is not there yet.

    Raises:
        subprocess.CalledProcessError: it cannot be made.
    """
    return str(python_with("peers", _LOCK))


def command(name: str, port: int | str) -> tuple[str, ...]:
    """What starts a peer on a port of 127.0.0.1, from the repository's folder.

    It reads PORT, DATABASE_URL and DATABASE_POOL_SIZE from its environment.
    """
    arguments = COMMANDS[name]
    at = ("--port", str(port)) if arguments[1] in {"uvicorn", "granian"} else ()
    return (python(), *arguments, *at)
