"""Environments of what is measured, each made of locks, and made again when a lock changes."""

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.services import ENVIRONMENTS


def python_with(name: str, *locks: Path) -> Path:
    """The Python of an environment with what the locks list, made by this Python where there is none yet.

    Raises:
        subprocess.CalledProcessError: it cannot be made.
    """
    contents = b"".join(lock.read_bytes() for lock in locks)
    folder = ENVIRONMENTS / f"{name}-{hashlib.sha256(contents).hexdigest()[:12]}"
    interpreter, ready = folder / "bin" / "python", folder / ".ready"
    if not ready.exists():
        print(f"Installing the environment {folder.name} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [
            str(interpreter),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
        ]
        for lock in locks:
            subprocess.run([*install, "--no-deps", "--requirement", str(lock)], check=True)
        ready.touch()
    return interpreter
