"""The example, examples/order-desk: what a team adds to a new service, and how it is laid over one."""

import re
import shutil
import tempfile
from pathlib import Path

from harness.baking import bake
from harness.repository import REPOSITORY, copy_what_git_would_commit

EXAMPLE = REPOSITORY / "examples" / "order-desk"
FOLDERS = ("app", "tests/app", "migrations/versions", "deploy")
ANSWERS = {"project_name": "Order Desk", "description": "Takes orders and has them paid"}
_REMOVED = ("app/items", "tests/app/test_items.py", "migrations/versions/0001_create_items.py")
_LOCKS = ("requirements.txt", "requirements-dev.txt")
_LIBRARY = "redis"


def bake_example(folder: Path) -> Path:
    """Bake a service from the work tree with the example in it, below a folder, and return the service's folder.

    The example's library is added to the locks as `make lock` adds it, with the version of requirements-ecosystem.txt.
    """
    service = _bake(folder)
    for name in _REMOVED:
        path = service / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in FOLDERS:
        shutil.copytree(EXAMPLE / name, service / name, dirs_exist_ok=True)
    project = service / "pyproject.toml"
    project.write_text(
        project.read_text("utf-8").replace("dependencies = [\n", 'dependencies = [\n    "redis>=8,<9",\n', 1)
    )
    ecosystem = (REPOSITORY / "requirements-ecosystem.txt").read_text("utf-8")
    [pinned] = re.findall(rf"(?m)^{_LIBRARY}==(?:.*\n)(?: .*\n)*", ecosystem)
    for name in _LOCKS:
        with (service / name).open("a", encoding="utf-8") as lock:
            lock.write(pinned)
    return service


def added_files(service: Path) -> dict[str, bytes]:
    """Return the files of a service's folders that a new service does not have, or has otherwise, by their paths."""
    with tempfile.TemporaryDirectory() as scratch:
        new = _bake(Path(scratch))
        return {
            str(file.relative_to(service)): file.read_bytes()
            for name in FOLDERS
            for file in sorted((service / name).rglob("*"))
            if file.is_file() and "__pycache__" not in file.parts
            if not _is_same(file, new / file.relative_to(service))
        }


def _bake(folder: Path) -> Path:
    with tempfile.TemporaryDirectory() as template:
        copy_what_git_would_commit(Path(template))
        return bake(Path(template), folder, ANSWERS)


def _is_same(file: Path, other: Path) -> bool:
    return other.is_file() and other.read_bytes() == file.read_bytes()
