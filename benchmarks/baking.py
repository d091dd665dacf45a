"""The service that is measured: baked from what would be committed, with the packages that its image has."""

from pathlib import Path

from benchmarks.environments import python_with
from faults.report import REPOSITORY
from tests.baking import bake_for_gunicorn

OUTPUT = REPOSITORY / "build" / "bench"


def bake_service() -> tuple[Path, Path]:
    """The folder of a service that can run under Gunicorn, and the Python of its environment.

    Not that of its developers: libraries load more where they find more, as structlog does with rich.
    """
    service = bake_for_gunicorn(OUTPUT / "service")
    locks = (service / name for name in ("requirements.txt", "requirements-migrations.txt"))
    return service, python_with("service", *locks)
