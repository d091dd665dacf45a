"""The service that is measured: baked from what would be committed, with an environment of its own."""

from pathlib import Path

from faults.report import REPOSITORY
from tests.baking import bake_for_gunicorn
from tests.services import python_for

OUTPUT = REPOSITORY / "build" / "bench"


def bake_service() -> tuple[Path, Path]:
    """The folder of a service that can run under Gunicorn, and the Python of its environment."""
    service = bake_for_gunicorn(OUTPUT / "service")
    return service, python_for(service)
