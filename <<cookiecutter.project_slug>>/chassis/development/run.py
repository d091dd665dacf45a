"""`make run`: runs the service and restarts it when its code changes, on DATABASE_URL or an embedded database."""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

from watchfiles import PythonFilter, watch

from chassis.development.child_process import ChildProcess
from chassis.development.database import development_database
from chassis.development.postgres import EmbeddedPostgresError
from chassis.project import ROOT

_DEFAULTS = {
    "HOST": "127.0.0.1",
    "LOG_FORMAT": "console",
    "DRAIN_SECONDS": "0",  # there is no load balancer
    "PYTHONBREAKPOINT": "chassis.development.debugger.stop",
}
_POLL_MILLISECONDS = 100


def main() -> int:
    """Run until Ctrl-C, or until the first start fails, and return the exit status."""
    for each in (signal.SIGINT, signal.SIGTERM):  # background processes inherit an ignored SIGINT
        signal.signal(each, _interrupt_once)
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    try:
        with development_database() as migrate:
            return _serve(migrate)
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


def _serve(migrate: Callable[[], bool]) -> int:
    """Run the service, restart it when its code changes, and return the exit status if the first start fails.

    Args:
        migrate: called before each start; returns whether the database is migrated.
    """
    if not migrate():
        return 1
    service, changed = ChildProcess(), False
    service.start()
    try:
        for changes in watch(
            ROOT / "app", ROOT / "chassis", ROOT / "migrations",
            watch_filter=PythonFilter(), rust_timeout=_POLL_MILLISECONDS, yield_on_timeout=True,
        ):  # fmt: skip
            if changes:
                changed = True
                print("The code has changed.", flush=True)
                service.stop()
                if migrate():
                    service.start()
            elif not changed and (status := service.status) is not None:
                return status
    finally:
        service.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
