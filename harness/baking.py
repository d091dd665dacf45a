"""Bakes services, from the files that Git would commit and with separate cookiecutter settings."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from cookiecutter.main import cookiecutter

from harness.releases import releases, write_release
from harness.repository import copy_what_git_would_commit


@contextmanager
def own_settings() -> Iterator[None]:
    """Ignore the user's cookiecutter settings, and delete the replay files and hooks that cookiecutter writes."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch, "settings.yaml")
        settings.write_text(f"replay_dir: {scratch}/replay\ncookiecutters_dir: {scratch}/templates\n", encoding="utf-8")
        with (
            mock.patch.dict(os.environ, {"COOKIECUTTER_CONFIG": str(settings)}),
            mock.patch.object(tempfile, "tempdir", scratch),
        ):
            yield


def bake(template: Path, output: Path, answers: dict[str, str]) -> Path:
    with own_settings():
        options = {"no_input": True, "overwrite_if_exists": True, "output_dir": str(output)}
        return Path(cookiecutter(str(template), extra_context=answers, **options))


def bake_for_gunicorn(folder: Path) -> Path:
    """Bake a service with Gunicorn from the work tree into the folder, and replace an earlier one."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as template:
        copy_what_git_would_commit(Path(template))
        return bake(Path(template), folder.parent, {"project_slug": folder.name, "gunicorn": "yes"})


def bake_release(version: str, folder: Path) -> Path:
    """Bake a service from an earlier release of the template into an empty folder, and return the service's folder."""
    template = folder / "template"
    template.mkdir(parents=True)
    write_release(releases()[version], template)
    return bake(template, folder, {"project_slug": "service"})
