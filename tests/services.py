"""Runs commands of baked services. Services with the same lock share a virtual environment."""

import hashlib
import os
import subprocess
from pathlib import Path

from tests.baking import REPOSITORY

# Resolved, because build/fork contains a link to it, and the scripts of an environment contain its absolute path.
ENVIRONMENTS = (REPOSITORY / "build" / "environments").resolve()


def environment_for(service: Path) -> Path:
    """Return the path of the environment for this service's lock. The first `make` creates it."""
    lock = (service / "requirements-dev.txt").read_bytes()
    return ENVIRONMENTS / hashlib.sha256(lock).hexdigest()[:12]


def python_for(service: Path) -> Path:
    """Return the Python of a service's environment, and create the environment if it does not exist.

    Raises:
        subprocess.CalledProcessError: `make` could not create it; its output tells why.
    """
    environment = environment_for(service)
    ready = ["make", "--no-print-directory", f"{environment}/.ready", f"VENV={environment}"]
    subprocess.run(ready, cwd=service, check=True)
    return environment / "bin" / "python"


def run(service: Path, tools: Path, *command: str, **variables: str) -> str:
    """Run a command in a service, with the real Helm, and return its output.

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
