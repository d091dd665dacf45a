"""`make run`: the service, started again at every change of its code, on the database that DATABASE_URL names or on an
embedded one that lives as long as this command."""

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

from watchfiles import PythonFilter, watch

from chassis.development.postgres import embedded_postgres
from chassis.project import ROOT

_SERVICE = [sys.executable, "-m", "app"]
# For the embedded database, which is this command's own; one that was named is not migrated unasked.
_MIGRATED_SERVICE = ["sh", "-c", '"$0" -m app migrate && exec "$0" -m app', sys.executable]
_POLL_MILLISECONDS = 100


def main() -> int:
    """Runs until Ctrl-C, or until the first start fails; returns the exit status."""
    for each in (signal.SIGINT, signal.SIGTERM):  # both leave the blocks below, however this command was started
        signal.signal(each, signal.default_int_handler)
    os.environ.setdefault("HOST", "127.0.0.1")
    os.environ.setdefault("LOG_FORMAT", "console")
    with ExitStack() as stack:
        embedded = "DATABASE_URL" not in os.environ
        try:
            if embedded:
                print("Starting PostgreSQL …", flush=True)
                os.environ["DATABASE_URL"] = stack.enter_context(embedded_postgres())
            return _serve(_MIGRATED_SERVICE if embedded else _SERVICE)
        except KeyboardInterrupt:
            return 0


def _serve(command: list[str]) -> int:
    service, changed = subprocess.Popen(command), False
    try:
        for changes in watch(
            ROOT / "app", ROOT / "chassis", ROOT / "migrations",
            watch_filter=PythonFilter(), rust_timeout=_POLL_MILLISECONDS, yield_on_timeout=True,
        ):  # fmt: skip
            if changes:
                print("The code has changed.", flush=True)
                _end(service)
                service, changed = subprocess.Popen(command), True
            elif service.poll() is not None and not changed:
                return service.returncode  # there is no earlier, working state to come back to
    finally:
        _end(service)
    return 0


def _end(service: subprocess.Popen[bytes]) -> None:
    if service.poll() is None:
        service.send_signal(signal.SIGINT)  # without the drain: nobody balances requests over this machine
        service.wait()


if __name__ == "__main__":
    sys.exit(main())
