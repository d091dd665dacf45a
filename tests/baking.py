"""Bakes services, for all tests: from what would be committed, with settings of its own."""

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
    """Caches and environments of the work tree stay out, uncommitted changes come along, links stay links."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        source = REPOSITORY / name
        if source.is_symlink() or source.is_file():  # else it is deleted, and git does not know yet
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)


@contextmanager
def own_settings() -> Iterator[None]:
    """The user's cookiecutter settings stay out, and what cookiecutter leaves behind (replays, hooks) goes away."""
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
    """Bakes what would be committed now into the folder, in the place of an earlier one; it can run under Gunicorn."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory() as template:
        copy_what_git_would_commit(Path(template))
        return bake(Path(template), folder.parent, {"project_slug": folder.name, "gunicorn": "yes"})


def contents(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Mode and bytes of every file below the folder, by relative path; a link counts with its target's name."""
    return {
        str(path.relative_to(folder)): (
            stat.filemode(path.lstat().st_mode),
            os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }
