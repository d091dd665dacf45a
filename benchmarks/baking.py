"""Bakes the service that is measured, from the files that would be committed, with the packages of its image."""

from pathlib import Path

from harness.baking import bake_for_gunicorn
from harness.environments import python_of_image
from harness.repository import BUILD

OUTPUT = BUILD / "bench"


def bake_service() -> tuple[Path, Path]:
    """Bake a service that can run under Gunicorn. Return its folder and the Python of its environment."""
    service = bake_for_gunicorn(OUTPUT / "service")
    return service, python_of_image(service)
