"""Merges the difference between two renderings of the template into a service."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterable
from pathlib import Path

from chassis.development.update.errors import UpdateError
from chassis.development.update.git import git

_AUTHOR = ("-c", "user.name=template", "-c", "user.email=template@localhost")
# A folder that the template renames does not take along what the team has put into it.
_OPTIONS = ("-c", "merge.directoryRenames=false")
_BOTH_CHANGED = "you and the template changed the same lines: look for <<<<<<<"
_CONFLICTS = {
    "AA": "you and the template added it: look for <<<<<<<",
    "UD": "you changed it and the template deleted it: keep it with `git add`, or delete it with `git rm`",
    "DU": "you deleted it and the template changed it: keep it with `git add`, or delete it with `git rm`",
}


def leave_alone(service: Path, old: Path, new: Path, patterns: Iterable[str]) -> None:
    """Removes from both renderings what an update does not touch, so that it is no part of their difference.

    That is what the patterns name, what `pyproject.toml` names under `[tool.cruft]` in the service or in the new
    rendering, and what the team has deleted.
    """
    skipped = {*patterns, *_skipped(service), *_skipped(new)}
    names = [path.relative_to(old) for path in old.rglob("*")]
    deleted = [name for name in names if not os.path.lexists(service / name)]
    for rendering in (old, new):
        for path in [*(found for each in skipped for found in rendering.glob(each)), *map(rendering.joinpath, deleted)]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def merge(service: Path, old: Path, new: Path, name: str) -> dict[str, str]:
    """Merges what differs between two folders into the work tree and the index of a service.

    Both become commits of the service's repository that no branch has, so that Git has the common ancestor of each
    file, whatever the clone at hand holds, and merges them as it picks a commit from another branch.

    Args:
        service: its folder, in a repository without uncommitted changes.
        old: as the template made the service before.
        new: as it makes it now.
        name: of the new rendering, which conflict markers show.

    Returns:
        The files that could not be merged, and for each what to do.

    Raises:
        UpdateError: Git cannot merge at all; it has printed why.
    """
    before = _commit_folder(service, old, name)
    after = _commit_folder(service, new, name, "-p", before)
    if not git(service, "diff", "--name-only", before, after):
        return {}
    pick = ["git", *_OPTIONS, "cherry-pick", "--no-commit", after]
    done = subprocess.run(pick, cwd=service, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    status = git(service, "status", "--porcelain", "--no-renames", "-z").split("\0")
    kinds = {line[3:]: line[:2] for line in status if "U" in line[:2] or line[:2] in {"AA", "DD"}}
    if done.returncode != 0 and not kinds:
        raise UpdateError(f"Git cannot merge the change:\n{done.stderr}")
    return {path: _CONFLICTS.get(kind, _BOTH_CHANGED) for path, kind in sorted(kinds.items())}


def _skipped(folder: Path) -> list[str]:
    pyproject = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    skipped: list[str] = pyproject.get("tool", {}).get("cruft", {}).get("skip", [])
    return skipped


def _commit_folder(service: Path, folder: Path, message: str, *parent: str) -> str:
    """Makes a commit in the service's repository that holds the folder, at the service's place in it."""
    repository = git(service, "rev-parse", "--absolute-git-dir").strip()
    prefix = git(service, "rev-parse", "--show-prefix").strip()
    index = {"GIT_DIR": repository, "GIT_INDEX_FILE": f"{folder}.index"}
    git(folder, "--work-tree=.", "add", "--all", "--force", ".", **index)
    tree = git(folder, "write-tree", **index).strip()
    if prefix:  # the repository holds more than this service
        index["GIT_INDEX_FILE"] = f"{folder}.prefixed.index"
        git(service, "read-tree", f"--prefix={prefix}", tree, **index)
        tree = git(service, "write-tree", **index).strip()
    return git(service, *_AUTHOR, "commit-tree", tree, *parent, "-m", message).strip()
