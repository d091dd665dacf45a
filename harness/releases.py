"""Finds the template's releases in its history by the value of `_version`, because a clone may have no tags."""

import json
import tarfile
import tempfile
from pathlib import Path

from harness.git import git
from harness.repository import REPOSITORY

_FILE = "cookiecutter.json"


def releases() -> dict[str, str]:
    """Return the commit of each release by version, oldest first. The version in development is not included.

    Raises:
        AssertionError: the clone is shallow, so releases may be missing.
    """
    assert git(REPOSITORY, "rev-parse", "--is-shallow-repository").strip() == "false", (
        "fetch the whole history: git fetch --unshallow"
    )
    found = {}
    for commit in git(REPOSITORY, "log", "--reverse", "--format=%H", "--", _FILE).split():
        version = json.loads(git(REPOSITORY, "show", f"{commit}:{_FILE}"))["_version"]
        if ".dev" not in version:
            found[version] = commit
    return found


def write_release(commit: str, folder: Path) -> None:
    """Write the template of a release into an empty folder."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        git(REPOSITORY, "archive", f"--output={file.name}", commit)
        with tarfile.open(file.name) as archive:
            archive.extractall(folder, filter="tar")
