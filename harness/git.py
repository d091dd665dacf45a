"""Runs Git, with a separate author for commits."""

import subprocess
from pathlib import Path

_AUTHOR = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")


def git(folder: Path, *arguments: str) -> str:
    """Run Git in a folder and return its output."""
    command = ["git", *_AUTHOR, *arguments]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def commit(folder: Path) -> str:
    """Commit all files, and return the commit's hash."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")
    return git(folder, "rev-parse", "HEAD").strip()


def repository(folder: Path) -> Path:
    """Initialize a repository in the folder, with one commit."""
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder)
    return folder
