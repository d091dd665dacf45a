"""Runs baked services: their commands, in environments that services with the same lock share."""

import hashlib
import os
import subprocess
from pathlib import Path

from tests.baking import REPOSITORY

# In build/fork this folder is a link. The scripts of an environment hold its path, so it is the path that stays.
ENVIRONMENTS = (REPOSITORY / "build" / "environments").resolve()


def environment_for(service: Path) -> Path:
    """Where the environment of services with this lock is; made by the first one's `make`."""
    lock = (service / "requirements-dev.txt").read_bytes()
    return ENVIRONMENTS / hashlib.sha256(lock).hexdigest()[:12]


def python_for(service: Path) -> Path:
    """The Python of a service's environment, which is made where there is none yet.

    Raises:
        subprocess.CalledProcessError: it cannot be made; `make` has said why.
    """
    environment = environment_for(service)
    ready = ["make", "--no-print-directory", f"{environment}/.ready", f"VENV={environment}"]
    subprocess.run(ready, cwd=service, check=True)
    return environment / "bin" / "python"


def run(service: Path, tools: Path, *command: str, **variables: str) -> str:
    """Runs a command in a service, with the real Helm, and returns what it says.

    Raises:
        AssertionError: its exit status is not 0.
    """
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "VIRTUAL_ENV"}}
    environment |= {"VENV": str(environment_for(service)), "HELM": str(tools / "helm"), **variables}
    done = subprocess.run(
        command, cwd=service, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout
