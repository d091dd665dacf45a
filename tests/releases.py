"""Finds the template's releases in its history by the value of `_version`, because a clone may have no tags."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

from harness.repository import REPOSITORY

_FILE = "cookiecutter.json"


def releases() -> dict[str, str]:
    """Return the commit of each release by version, oldest first. The version in development is not included.

    Raises:
        AssertionError: the clone is shallow, so releases may be missing.
    """
    assert _git("rev-parse", "--is-shallow-repository").strip() == b"false", (
        "fetch the whole history: git fetch --unshallow"
    )
    found = {}
    for commit in _git("log", "--reverse", "--format=%H", "--", _FILE).decode().split():
        version = json.loads(_git("show", f"{commit}:{_FILE}"))["_version"]
        if ".dev" not in version:
            found[version] = commit
    return found


def write_release(commit: str, folder: Path) -> None:
    """Write the template of a release into an empty folder."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(folder, filter="tar")


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout
