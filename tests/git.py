"""Git repositories that tests make, with an author of their own."""

import subprocess
from pathlib import Path

_AUTHOR = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")


def git(folder: Path, *arguments: str) -> str:
    """Runs Git in a folder and returns what it says."""
    command = ["git", *_AUTHOR, *arguments]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def commit(folder: Path) -> str:
    """Commits all that there is, and returns the commit's name."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
    return git(folder, "rev-parse", "HEAD").strip()


def repository(folder: Path) -> Path:
    """Makes a folder a repository with one commit."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder
