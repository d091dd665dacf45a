"""`make db` and `make db-stop`: an embedded PostgreSQL that runs between commands, so that none has to start its own.

The file `build/postgres` has the server's address. The server lives as long as the file: `make clean`, or removing the
checkout, ends it, too. There is no process number that could be out of date: whoever finds the file tries the socket.
"""

import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chassis.development.postgres import (
    EmbeddedPostgresError,
    address_of,
    embedded_postgres,
    folder_of,
    start_leased_postgres,
    wanted_version,
)
from chassis.project import ROOT

LEASE = ROOT / "build" / "postgres"
"""The file that the server lives as long as."""

# The name tells tests that they may leave a database there: see chassis/testing/kept_databases.py. Tests in several
# processes share the server's connections.
_OPTIONS = ("-c cluster_name=make-db", "-c max_connections=500")
_STOP_SECONDS = 20
_POLL_SECONDS = 0.05


@contextmanager
def development_postgres() -> Iterator[str]:
    """Yield the address of the server that `make db` keeps; if there is none, of a new one that ends with the block.

    Raises:
        EmbeddedPostgresError: the server does not start.
    """
    if url := kept_postgres():
        yield url
    else:
        with embedded_postgres() as url:
            yield url


def kept_postgres() -> str | None:
    """Return the address of the server that `make db` keeps; None if there is none of the wanted version."""
    folder = _folder()
    if folder is None or not _answers(folder):
        return None
    try:
        version = (folder / "data" / "PG_VERSION").read_text(encoding="utf-8").strip()
    except FileNotFoundError:  # it has just been stopped
        return None
    return address_of(folder) if version == wanted_version() else None


def stop() -> bool:
    """Stop the server and wait until it is gone. Return whether there was one.

    Raises:
        EmbeddedPostgresError: it does not end in time.
    """
    folder = _folder()
    LEASE.unlink(missing_ok=True)
    if folder is None:
        return False
    if not _answers(folder):  # as after a crash of the machine
        shutil.rmtree(folder, ignore_errors=True)
        return False
    end = time.monotonic() + _STOP_SECONDS
    while folder.exists():
        if time.monotonic() > end:
            raise EmbeddedPostgresError(f"PostgreSQL did not stop: end the process in {folder}/data/postmaster.pid.")
        time.sleep(_POLL_SECONDS)
    return True


def _folder() -> Path | None:
    """Return the folder that the lease names."""
    try:
        return folder_of(LEASE.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _answers(folder: Path) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / ".s.PGSQL.5432"))
    except OSError:
        return False
    return True


def main() -> None:
    """Start the server, unless it runs; with the argument `stop`, stop it."""
    try:
        if sys.argv[1:] == ["stop"]:
            print("PostgreSQL has stopped." if stop() else "PostgreSQL does not run: nothing to stop.")
            return
        url = kept_postgres()
        if url is None:
            stop()  # one of another version
            url = start_leased_postgres(LEASE, *_OPTIONS)
        print(f"PostgreSQL {wanted_version()} runs until `make db-stop`, and `make run` and the tests use it: {url}")
    except EmbeddedPostgresError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
