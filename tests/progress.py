"""Prints which tests run, once a minute: the processes of pytest-xdist print nothing before a test has ended."""

import threading
import time

import pytest

_SECONDS = 60


class Progress:
    """A plugin for the process that starts the others and is told what they do."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal
        self._begun: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._print, daemon=True)

    def pytest_sessionstart(self) -> None:
        self._thread.start()

    def pytest_sessionfinish(self) -> None:
        self._ended.set()
        self._thread.join()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._begun[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        del self._begun[nodeid]

    def _print(self) -> None:
        while not self._ended.wait(_SECONDS):
            now = time.monotonic()
            lines = [f"running for {now - begun:.0f} s: {nodeid}" for nodeid, begun in [*self._begun.items()]]
            self._terminal.write_line("\n".join(["", *lines]))  # a line of dots may have begun
