"""Runs Git."""

import os
import subprocess
from pathlib import Path

from chassis.development.update.errors import UpdateError


def unset_repository_variables() -> None:
    """Unset the variables that tie Git to a repository; a hook or `git rebase --exec` sets them."""
    names = subprocess.run(["git", "rev-parse", "--local-env-vars"], stdout=subprocess.PIPE, text=True, check=False)
    for name in names.stdout.split():
        os.environ.pop(name, None)


def git(folder: Path, *arguments: str, **variables: str) -> str:
    """Run Git in a folder, with additional environment variables, and return what it prints.

    Raises:
        UpdateError: Git fails and has printed the reason.
    """
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        errors="surrogateescape",  # names of files are bytes
        check=False,
    )
    if done.returncode != 0:
        raise UpdateError(f"`git {' '.join(arguments)}` failed in {folder}; Git says why above.")
    return done.stdout


def describe(repository: Path, commit: str) -> str:
    """Return a readable name of a commit: its tag, the tag before it, or its shortened hash."""
    return git(repository, "describe", "--tags", "--always", commit).strip()
