"""`make test-fork`: runs the template's tests, all or the given ones, in a fork with other defaults."""

import os
import shutil
import subprocess
import sys

from harness.fork import change_defaults
from harness.git import git
from harness.repository import BUILD, REPOSITORY, copy_what_git_would_commit

FORK = BUILD / "fork"
# Variables of make that must not reach the fork, whose environment is `.venv`.
_OF_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "VENV"}


def main() -> None:
    """Run the tests and exit with their status."""
    make_fork()
    tests = sys.argv[1:]
    command = [".venv/bin/python", "-m", "pytest", *tests] if tests else ["make", "--no-print-directory", "test"]
    environment = {name: value for name, value in os.environ.items() if name not in _OF_MAKE}
    sys.exit(subprocess.run(command, cwd=FORK, env=environment, check=False).returncode)


def make_fork() -> None:
    """Create the fork as docs/forking.md describes: a clone with one more commit. It shares installed environments."""
    shutil.rmtree(FORK, ignore_errors=True)
    git(REPOSITORY, "clone", "--quiet", "--no-checkout", str(REPOSITORY), str(FORK))
    copy_what_git_would_commit(FORK)
    change_defaults(FORK)
    git(FORK, "add", "--all")
    git(FORK, "commit", "--quiet", "--allow-empty", "--message", "Our defaults")
    (FORK / ".venv").symlink_to(sys.prefix)
    (FORK / "build").mkdir()
    for shared in ("environments", "tools"):
        (BUILD / shared).mkdir(exist_ok=True)
        (FORK / "build" / shared).symlink_to(BUILD / shared)


if __name__ == "__main__":
    main()
