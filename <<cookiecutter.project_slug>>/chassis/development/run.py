"""`make run`: runs the service and restarts it when its code changes, on DATABASE_URL or a temporary database."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from watchfiles import PythonFilter, watch

from chassis.development.postgres import EmbeddedPostgresError, embedded_postgres
from chassis.migrations.revisions import HISTORIES
from chassis.project import ROOT

_SERVICE = [sys.executable, "-m", "app"]
# For the embedded database only: the database of DATABASE_URL is not migrated automatically.
_MIGRATED_SERVICE = ["sh", "-c", '"$0" -m app migrate && exec "$0" -m app', sys.executable]
_POLL_MILLISECONDS = 100


class _MigrationChangedError(Exception):
    """A migration has changed that the embedded database may already have run."""


def main() -> int:
    """Run until Ctrl-C, or until the first start fails, and return the exit status."""
    for each in (signal.SIGINT, signal.SIGTERM):  # background processes inherit an ignored SIGINT
        signal.signal(each, _interrupt_once)
    os.environ.setdefault("HOST", "127.0.0.1")
    os.environ.setdefault("LOG_FORMAT", "console")
    try:
        if "DATABASE_URL" in os.environ:
            return _serve(_SERVICE, os.environ["DATABASE_URL"])
        return _serve_on_embedded_postgres()
    except KeyboardInterrupt:
        return 0
    except EmbeddedPostgresError as error:
        print(error, file=sys.stderr)
        return 1


def _interrupt_once(*_: int | FrameType | None) -> NoReturn:
    """Raise KeyboardInterrupt once; a second Ctrl-C must not interrupt the cleanup."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _serve_on_embedded_postgres() -> int:
    changed = False
    while True:
        print("Starting PostgreSQL …", flush=True)
        with embedded_postgres() as url:
            try:
                return _serve(_MIGRATED_SERVICE, url, migrated=True, changed=changed)
            except _MigrationChangedError:
                print("A migration has changed: recreating the database.", flush=True)
                changed = True


def _serve(command: list[str], database_url: str, *, migrated: bool = False, changed: bool = False) -> int:
    """Run the service, restart it when its code changes, and return the exit status if the first start fails.

    Raises:
        _MigrationChangedError: a migration has changed, and `command` runs migrations (`migrated`).
    """
    environment = os.environ | {"DATABASE_URL": database_url}
    folders = {history.versions for history in HISTORIES}
    service = subprocess.Popen(command, env=environment)
    try:
        for changes in watch(
            ROOT / "app", ROOT / "chassis", ROOT / "migrations",
            watch_filter=PythonFilter(), rust_timeout=_POLL_MILLISECONDS, yield_on_timeout=True,
        ):  # fmt: skip
            if changes:
                print("The code has changed.", flush=True)
                _end(service)
                if migrated and any(Path(path).parent in folders for _, path in changes):
                    raise _MigrationChangedError
                service, changed = subprocess.Popen(command, env=environment), True
            elif service.poll() is not None and not changed:
                return service.returncode  # the first start failed
    finally:
        _end(service)
    return 0


def _end(service: subprocess.Popen[bytes]) -> None:
    if service.poll() is None:
        service.send_signal(signal.SIGINT)  # without the drain: there is no load balancer
        service.wait()


if __name__ == "__main__":
    sys.exit(main())
