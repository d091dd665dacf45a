"""The template's repository: its folders, its commit, and its files."""

import shutil
from pathlib import Path

from harness.git import git

REPOSITORY = Path(__file__).parents[1]
BUILD = REPOSITORY / "build"
"""For generated files, which Git ignores."""
TOOLS = BUILD / "tools"
"""For programs that are not on PATH."""
SERVICE = "<<cookiecutter.project_slug>>"
"""The folder of the service in the template."""

# Files that runs write. Changing them does not change the next run.
_RESULTS = (":!docs/benchmarks*", ":!docs/*.json", ":!docs/faults.md", ":!docs/e2e.md")


def commit() -> str:
    """Return the commit, with `-dirty` if the work tree differs in files that no run writes."""
    changed = git(REPOSITORY, "status", "--porcelain", "--", ".", *_RESULTS)
    return git(REPOSITORY, "describe", "--always", "--exclude=*").strip() + ("-dirty" if changed else "")


def copy_what_git_would_commit(target: Path) -> None:
    """Copy the work tree with its uncommitted changes, without ignored files. Symbolic links stay links."""
    listed = git(REPOSITORY, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in filter(None, listed.split("\0")):
        source = REPOSITORY / name
        if source.is_symlink() or source.is_file():  # a deleted file is listed until Git knows of the deletion
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)
