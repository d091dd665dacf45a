"""Releases of the template, found in its history by the value of `_version`, as a clone may be without tags."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

from tests.baking import REPOSITORY

_FILE = "cookiecutter.json"


def releases() -> dict[str, str]:
    """The commit of each release by its version, the first release first; what is being worked on is none.

    Raises:
        AssertionError: the clone is shallow, so that releases may be missing.
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
    """Writes the template as it was released into an empty folder."""
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(folder, filter="tar")


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE).stdout
