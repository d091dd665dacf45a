"""Creates the Python environments of the subjects from lock files, and creates them again when a lock changes."""

import hashlib
import subprocess
import sys
from pathlib import Path

from tests.services import ENVIRONMENTS


def python_with(name: str, *locks: Path) -> Path:
    """Return the Python of an environment with the locked packages. Creates the environment if it does not exist.

    Raises:
        subprocess.CalledProcessError: the environment cannot be created.
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
