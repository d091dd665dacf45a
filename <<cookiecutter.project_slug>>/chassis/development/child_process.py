"""The process of the service under `make run`, which may use the terminal: a debugger reads from it."""

import os
import subprocess
import sys
import termios

_STOP_SECONDS = 1


class ChildProcess:
    """The service as a child process, which can be started again and again."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._terminal = termios.tcgetattr(sys.stdin) if sys.stdin and sys.stdin.isatty() else None

    @property
    def status(self) -> int | None:
        """The exit status, or None while the process runs."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the service, with the settings of the environment."""
        self._process = subprocess.Popen([sys.executable, "-m", "app"])

    def stop(self) -> None:
        """Stop the service: within about a second, even if it stands still in a debugger."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            print("The service does not stop by itself: it is killed.", flush=True)
            self._process.kill()
            self._process.wait()
        self._restore_terminal()

    def _restore_terminal(self) -> None:
        """Undo what a debugger has changed that was killed at its prompt, where the terminal shows no input."""
        if self._terminal is None or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
            return
        if termios.tcgetattr(sys.stdin) != self._terminal:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._terminal)
