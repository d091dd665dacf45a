"""Lays the chassis' own tests over a baked service, where they run."""

import shutil
from pathlib import Path

from harness.repository import REPOSITORY

# What these tests import besides the service.
_HARNESS = ("__init__.py", "toxic_proxy.py")
# What these tests read besides a service's own tests, in an image.
_IN_THE_IMAGE = "!chassis/development\n!docs/chassis\n!harness\n"


def lay_over(service: Path) -> Path:
    """Copy the tests into the service, as its `tests/chassis`, and return the service's folder."""
    shutil.copytree(REPOSITORY / "tests" / "chassis", service / "tests" / "chassis", ignore=_ignored)
    (service / "harness").mkdir()
    for name in _HARNESS:
        shutil.copy2(REPOSITORY / "harness" / name, service / "harness")
    with (service / "tests" / "Dockerfile.dockerignore").open("a", encoding="utf-8") as allowed:
        allowed.write(_IN_THE_IMAGE)
    return service


_ignored = shutil.ignore_patterns("__pycache__")
