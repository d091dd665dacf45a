"""Runs commands of baked services. Services with the same lock share a virtual environment."""

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.environments import python_for

# mypy checks a library, and the code that services have in common, once for all services of this process.
_TYPES = TemporaryDirectory(prefix="mypy-")
# Seconds a test. A service's own limit is shorter, and is meant for a machine that runs nothing else.
_TIME_LIMIT = "--timeout=180"
# What `pytest -n auto` takes in a service, and how many services run at a time: twice this process's share of the
# cores, as a service's tests wait half of their time for PostgreSQL and for other processes.
PROCESSES = max(1, 2 * (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def run(service: Path, tools: Path, *command: str, **variables: str) -> str:
    """Run a command in a service, with the real Helm, and return its output.

    Raises:
        AssertionError: its exit status is not 0.
    """
    environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "VIRTUAL_ENV"}}
    environment |= {"VENV": str(python_for(service).parents[1]), "HELM": str(tools / "helm")}
    environment |= {"MYPY_CACHE_DIR": _TYPES.name, "PYTEST_ADDOPTS": _TIME_LIMIT}
    environment |= {"PYTEST_XDIST_AUTO_NUM_WORKERS": str(PROCESSES), **variables}
    done = subprocess.run(
        command, cwd=service, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:]
    return done.stdout
