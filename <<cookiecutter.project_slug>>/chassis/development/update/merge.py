"""Merges the difference between two renderings of the template into a service."""

import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from chassis.development.update.errors import UpdateError
from chassis.development.update.git import git

# Independent of the user's settings: keep the rendering's bytes and modes.
_AS_IT_IS = ("-c", "core.fileMode=true", "-c", "core.safecrlf=false")
_AUTHOR = ("-c", "user.name=template", "-c", "user.email=template@localhost")
# If the template renames a folder, files that the team added to it stay where they are.
_OPTIONS = ("-c", "merge.directoryRenames=false")
_BOTH_CHANGED = "you and the template changed it: look for <<<<<<<, or choose with git checkout --ours or --theirs"
_CONFLICTS = {
    "AA": "you and the template added it: look for <<<<<<<",
    "UD": "you changed it and the template deleted it: keep it with `git add`, or delete it with `git rm`",
    "DU": "you deleted it and the template changed it: keep it with `git add`, or delete it with `git rm`",
}


def merge(service: Path, old: Path, new: Path, name: str, skip: Iterable[str]) -> dict[str, str]:
    """Merge the difference between two folders into the work tree and the index of a service.

    Both become commits of the service's repository that no branch has, so that Git has the common ancestor of each
    file, whatever the clone at hand holds, and merges them as it picks a commit from another branch.

    Args:
        service: its folder, in a repository without uncommitted changes.
        old: as the template made the service before.
        new: as it makes it now.
        name: of the new rendering, which conflict markers show.
        skip: patterns of files to leave alone, beside those in either `pyproject.toml`, under `[tool.cruft]`.

    Returns:
        The files that could not be merged, relative to the service, and for each what to do.

    Raises:
        UpdateError: nothing is merged: a file would be lost, or Git cannot merge at all.
    """
    _keep_skipped_files(service, (old, new), _checked([*skip, *_skipped(service), *_skipped(new)]))
    _drop_deleted_files(service, old, new, name)
    before = _commit_folder(service, old, name)
    after = _commit_folder(service, new, name, "-p", before)
    changed = [*_changes(service, "ACDMRT", before, after)]
    if not changed:
        return {}
    _refuse_to_overwrite(service, changed)
    pick = ["git", *_OPTIONS, "cherry-pick", "--no-commit", after]
    done = subprocess.run(pick, cwd=service, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    status = git(service, "status", "--porcelain", "--no-renames", "-z", "--", ".").split("\0")
    kinds = {line[3:]: line[:2] for line in status if "U" in line[:2] or line[:2] in {"AA", "DD"}}
    if done.returncode != 0 and not kinds:
        raise UpdateError(f"Git cannot merge the change:\n{done.stderr}")
    prefix = _prefix(service)
    return {path.removeprefix(prefix): _CONFLICTS.get(kind, _BOTH_CHANGED) for path, kind in sorted(kinds.items())}


def _skipped(folder: Path) -> list[str]:
    file = folder / "pyproject.toml"
    try:
        pyproject = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    except ValueError as error:
        raise UpdateError(f"{file} cannot be read: {error}") from None
    patterns = pyproject.get("tool", {}).get("cruft", {}).get("skip", [])
    if not isinstance(patterns, list):
        raise UpdateError(f'{file}: [tool.cruft] skip should be a list, such as ["docs/own"].')
    return patterns


def _checked(patterns: Iterable[str]) -> set[str]:
    for pattern in patterns:
        path = PurePosixPath(pattern)
        if path.is_absolute() or not path.parts or ".." in path.parts:
            raise UpdateError(f'skip {pattern!r} should name files below the service, such as "docs/own".')
    return set(patterns)


def _keep_skipped_files(service: Path, renderings: Iterable[Path], patterns: Iterable[str]) -> None:
    """Replace the skipped files of both renderings by the service's own.

    A file that is the same on all sides does not change, and Git does not take it for a renamed file of the template.
    """
    tracked = [*_tracked(service)]
    for pattern in patterns:
        for rendering in renderings:
            for path in rendering.glob(pattern):
                _remove(path)
        own = {path.relative_to(service) for path in service.glob(pattern)}
        for name in tracked:
            if own & {name, *name.parents} and (service / name).exists():
                for rendering in renderings:
                    (rendering / name).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(service / name, rendering / name, follow_symlinks=False)


def _tracked(service: Path) -> Iterator[Path]:
    yield from map(Path, filter(None, git(service, "ls-files", "-z", "--", ".").split("\0")))


def _drop_deleted_files(service: Path, old: Path, new: Path, name: str) -> None:
    """Remove the files that the team has deleted from both renderings, even if the template has renamed them since.

    A file that the team has renamed is not deleted: Git merges into it under its new name.
    """
    before, after = _commit_folder(service, old, name), _commit_folder(service, new, name)
    prefix = _prefix(service)
    deleted = set(_changes(service, "D", before, "HEAD"))
    renamed = dict(_renames(service, before, after, prefix))
    for path in deleted:
        _remove(old / path)
        _remove(new / path)
        if path in renamed:
            _remove(new / renamed[path])


def _changes(service: Path, kind: str, before: str, after: str) -> Iterator[str]:
    prefix = _prefix(service)
    options = ["--name-only", "-z", "--find-renames", f"--diff-filter={kind}"]
    for path in filter(None, git(service, "diff", *options, before, after).split("\0")):
        if path.startswith(prefix):
            yield path.removeprefix(prefix)


def _renames(service: Path, before: str, after: str, prefix: str) -> Iterator[tuple[str, str]]:
    options = ["--name-status", "-z", "--find-renames", "--diff-filter=R"]
    found = git(service, "diff", *options, before, after).split("\0")
    for source, target in zip(found[1::3], found[2::3], strict=False):
        yield source.removeprefix(prefix), target.removeprefix(prefix)


def _refuse_to_overwrite(service: Path, changed: Iterable[str]) -> None:
    tracked = {str(name) for name in _tracked(service)}
    if lost := [name for name in changed if name not in tracked and os.path.lexists(service / name)]:
        raise UpdateError(
            f"The template has files where you have some that Git ignores, and they would be lost: {', '.join(lost)}. "
            "Move them away first."
        )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def _prefix(service: Path) -> str:
    return git(service, "rev-parse", "--show-prefix").strip()


def _commit_folder(service: Path, folder: Path, message: str, *parent: str) -> str:
    """Make a commit of the folder, at the service's path in its repository."""
    repository, prefix = git(service, "rev-parse", "--absolute-git-dir").strip(), _prefix(service)
    index = {"GIT_DIR": repository, "GIT_INDEX_FILE": f"{folder}.index"}
    git(folder, *_AS_IT_IS, "--work-tree=.", "add", "--all", "--force", "--sparse", ".", **index)
    tree = git(folder, "write-tree", **index).strip()
    if prefix:  # the repository holds more than this service
        index["GIT_INDEX_FILE"] = f"{folder}.prefixed.index"
        git(service, "read-tree", "--empty", **index)
        git(service, "read-tree", f"--prefix={prefix}", tree, **index)
        tree = git(service, "write-tree", **index).strip()
    return git(service, *_AUTHOR, "commit-tree", tree, *parent, "-m", message).strip()
