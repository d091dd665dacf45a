"""Lays the chassis' own tests over a baked service, where they run: `python -m harness.laid_over FOLDER`."""

import shutil
import sys
from pathlib import Path

from harness.repository import REPOSITORY

# What these tests import besides the service.
_HARNESS = (
    "__init__.py",
    "addresses.py",
    "ports.py",
    "postgres.py",
    "postgres_programs.py",
    "processes.py",
    "served_by_index.py",
    "toxic_proxy.py",
    "usage.py",
    "waiting.py",
)
# As the repository's own configuration has it.
_LINTING = 'extend = "../pyproject.toml"\n[lint]\nextend-ignore = ["ASYNC110", "S"]\n'
# What these tests read in an image, besides what a service's own tests read.
_IN_THE_IMAGE = "!chassis/development\n!docs/chassis\n!harness\n"


def lay_over(service: Path) -> Path:
    """Make the chassis' tests part of a service's tests, and return the service's folder."""
    copy_tests(service)
    (service / "harness").mkdir()
    for name in _HARNESS:
        shutil.copy2(REPOSITORY / "harness" / name, service / "harness")
    (service / "harness" / "ruff.toml").write_text(_LINTING, encoding="utf-8")
    with (service / "tests" / "Dockerfile.dockerignore").open("a", encoding="utf-8") as allowed:
        allowed.write(_IN_THE_IMAGE)
    return service


def copy_tests(service: Path) -> None:
    """Copy the chassis' tests to the service's `tests/chassis`, for those who have the harness on their path."""
    unused = [] if (service / "guniconfig.py").exists() else ["test_gunicorn.py"]
    ignored = shutil.ignore_patterns("__pycache__", *unused)
    shutil.copytree(REPOSITORY / "tests" / "chassis", service / "tests" / "chassis", ignore=ignored)


if __name__ == "__main__":
    lay_over(Path(sys.argv[1]))
