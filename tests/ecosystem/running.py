"""A service in a process of its own, and what tests say to it."""

import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from harness.ports import free_port

PATIENCE_SECONDS = 30
"""Bounds a wait for another process; a test that passes does not wait this long."""
_POLL_SECONDS = 0.05
_NONE: Mapping[str, str] = {}

# They end when their standard input closes.
_SERVER = """
import sys
from chassis.testing.databases import postgres_server
with postgres_server() as url:
    print(url, flush=True)
    sys.stdin.read()
"""
_DATABASE = """
import os, sys
from chassis.testing.databases import migrated_database
with migrated_database(os.environ.pop("DATABASE_URL")) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def until(holds: Callable[[], bool], what: str) -> None:
    """Poll until a condition holds.

    Args:
        holds: asks another process.
        what: the condition in words, for the error.
    """
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, f"{what}: not within {PATIENCE_SECONDS} s"
        time.sleep(_POLL_SECONDS)


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@contextmanager
def postgres_server(service: Path, python: Path) -> Iterator[str]:
    """Yield the address of a PostgreSQL server."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    with _address_from(_SERVER, service, python, environment) as url:
        yield url


@contextmanager
def database_of(service: Path, python: Path, server_url: str) -> Iterator[str]:
    """Yield the address of a database with the migrations of a service."""
    with _address_from(_DATABASE, service, python, os.environ | {"DATABASE_URL": server_url}) as url:
        yield url


@contextmanager
def _address_from(program: str, service: Path, python: Path, environment: Mapping[str, str]) -> Iterator[str]:
    command = [str(python), "-c", program]
    with subprocess.Popen(
        command, cwd=service, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield next(line.strip() for line in process.stdout if line.startswith("postgresql"))  # the others are its log
        process.communicate()


class Running:
    """A service that runs.

    Args:
        service: its folder.
        python: the Python of its environment.
        environment: its settings.

    Attributes:
        port: the port of its API.
        lines: the lines of its log that were read so far.
    """

    def __init__(self, service: Path, python: Path, environment: Mapping[str, str]) -> None:
        self.port, self._internal_port = free_port(), free_port()
        settings = {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "INTERNAL_PORT": str(self._internal_port),
            "LOG_FORMAT": "json",
            "DRAIN_SECONDS": "0",
            "PYTHONWARNINGS": "error",  # as in a service's own tests
        }
        self.process = subprocess.Popen(
            [str(python), "-m", "app"],
            cwd=service,
            env=os.environ | settings | dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[dict[str, Any]] = []
        self._unread: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._unread.put(line)
        self._unread.put("")  # the end

    def until_logged(self, event: str) -> dict[str, Any]:
        """Read the log up to the next line of an event, and return that line."""
        while text := self._unread.get(timeout=PATIENCE_SECONDS):
            line = json.loads(text) if text.startswith("{") else {"event": text}
            self.lines.append(line)
            if line["event"] == event:
                return line
        raise AssertionError(f"ended without {event}; it logged {self.lines}")

    def until_ended(self) -> int:
        """Read the log to its end, and return the exit status."""
        status = self.process.wait(PATIENCE_SECONDS)
        while text := self._unread.get(timeout=PATIENCE_SECONDS):
            self.lines.append(json.loads(text) if text.startswith("{") else {"event": text})
        return status

    def stop(self) -> int:
        """Send SIGTERM, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.until_ended()

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        with self.process:
            self.process.kill()
            self._reader.join()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to its API."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)

    def request(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = _NONE) -> Answer:
        """Send a request to its API, and return the response."""
        with closing(self.connect()) as connection:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def get(self, path: str, headers: Mapping[str, str] = _NONE) -> Answer:
        """Send a GET to its API, and return the response."""
        return self.request("GET", path, headers=headers)

    def readiness(self) -> int:
        """Return the status of /readyz."""
        with closing(http.client.HTTPConnection("127.0.0.1", self._internal_port, timeout=PATIENCE_SECONDS)) as client:
            client.request("GET", "/readyz")
            return client.getresponse().status

    def errors(self) -> list[dict[str, Any]]:
        """Return the lines above the level of warnings, of those that were read."""
        return [line for line in self.lines if line.get("level") not in {"debug", "info", "warning"}]


@contextmanager
def running(service: Path, python: Path, environment: Mapping[str, str]) -> Iterator[Running]:
    """Run a service until the block ends."""
    found = Running(service, python, environment)
    try:
        yield found
    finally:
        found.kill()


@contextmanager
def server(*command: str | Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server of another kind until the block ends; the block begins when it listens on the port."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _listens(port), f"{command[0]} listens")
            yield process
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
