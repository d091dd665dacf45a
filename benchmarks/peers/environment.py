"""The environment of the peers, and the commands that start them."""

from pathlib import Path

from harness.environments import python_with

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
"""Arguments of Python, by subject."""


def python() -> str:
    """Return the interpreter of the peers. Creates their environment if it does not exist.

    Raises:
        subprocess.CalledProcessError: the environment cannot be created.
    """
    return str(python_with("peers", _LOCK))


def command(name: str, port: int | str) -> tuple[str, ...]:
    """Return the command that starts a peer on a port of 127.0.0.1, from the repository's folder.

    The peer reads PORT, DATABASE_URL and DATABASE_POOL_SIZE from the environment.
    """
    arguments = COMMANDS[name]
    at = ("--port", str(port)) if arguments[1] in {"uvicorn", "granian"} else ()
    return (python(), *arguments, *at)
