"""Python environments below build/environments, one for each lock. A changed lock leads to a new environment.

Processes that need the same environment at the same time wait for the one that creates it.
"""

import hashlib
import subprocess
import sys
from pathlib import Path

from harness.one_at_a_time import one_at_a_time
from harness.repository import BUILD

# Resolved, because build/fork contains a link to it, and the scripts of an environment contain its absolute path.
_ENVIRONMENTS = (BUILD / "environments").resolve()


def python_for(service: Path, python: str = "") -> Path:
    """Return the Python of a service's development environment, and create the environment if it does not exist.

    Args:
        service: the service's folder.
        python: the program of another Python than the default one, such as `python3.14`.

    Raises:
        subprocess.CalledProcessError: `make` could not create it; its output tells why.
    """
    environment = _ENVIRONMENTS / "-".join(filter(None, (_digest(service / "requirements-dev.txt"), python)))
    ready = environment / ".ready"
    with one_at_a_time(environment):
        if ready.exists():
            ready.touch()  # make would install the same lock again, as a service that was baked later has a newer copy
        else:
            command = ["make", "--no-print-directory", str(ready), f"VENV={environment}"]
            subprocess.run([*command, *([f"PYTHON={python}"] if python else [])], cwd=service, check=True)
    return environment / "bin" / "python"


def python_of_image(service: Path) -> Path:
    """Return the Python of an environment with the packages of a service's image.

    It has no development packages: libraries load more if they find more, such as structlog with rich.

    Raises:
        subprocess.CalledProcessError: the environment cannot be created.
    """
    return python_with("service", *(service / name for name in ("requirements.txt", "requirements-migrations.txt")))


def python_with(name: str, *locks: Path) -> Path:
    """Return the Python of an environment with the locked packages. Creates the environment if it does not exist.

    Raises:
        subprocess.CalledProcessError: the environment cannot be created.
    """
    folder = _ENVIRONMENTS / f"{name}-{_digest(*locks)}"
    interpreter, ready = folder / "bin" / "python", folder / ".ready"
    with one_at_a_time(folder):
        if not ready.exists():
            print(f"Installing the environment {folder.name} …", flush=True)
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            pip = (interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes")
            for lock in locks:
                subprocess.run([*pip, "--no-deps", "--requirement", lock], check=True)
            ready.touch()
    return interpreter


def _digest(*locks: Path) -> str:
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:12]
