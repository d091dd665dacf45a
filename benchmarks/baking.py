"""Bakes the service that is measured, from the files that would be committed, with the packages of its image."""

from pathlib import Path

from benchmarks.environments import python_with
from faults.report import REPOSITORY
from tests.baking import bake_for_gunicorn

OUTPUT = REPOSITORY / "build" / "bench"


def bake_service() -> tuple[Path, Path]:
    """Bake a service that can run under Gunicorn. Return its folder and the Python of its environment.

    The environment has no development packages: libraries load more if they find more, such as structlog with rich.
    """
    service = bake_for_gunicorn(OUTPUT / "service")
    locks = (service / name for name in ("requirements.txt", "requirements-migrations.txt"))
    return service, python_with("service", *locks)
