"""Bakes services for all tests, from the files that Git would commit and with separate cookiecutter settings."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from cookiecutter.main import cookiecutter

REPOSITORY = Path(__file__).parents[1]
SERVICE = "<<cookiecutter.project_slug>>"


def copy_what_git_would_commit(target: Path) -> None:
    """Copy the work tree with its uncommitted changes, without ignored files. Symbolic links stay links."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = REPOSITORY / name
        if source.is_symlink() or source.is_file():  # a deleted file is listed until Git knows of the deletion
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)


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
        return Path(cookiecutter(str(template), no_input=True, extra_context=answers, output_dir=str(output)))


def bake_for_gunicorn(folder: Path) -> Path:
    """Bake a service with Gunicorn from the work tree into the folder, and replace an earlier one."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as template:
        copy_what_git_would_commit(Path(template))
        return bake(Path(template), folder.parent, {"project_slug": folder.name, "gunicorn": "yes"})


def contents(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Return mode and bytes of every file below the folder, by relative path. For a link, the bytes are its target."""
    return {
        str(path.relative_to(folder)): (
            stat.filemode(path.lstat().st_mode),
            os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
