"""Extracts the previous version of the chart from the repository's history."""

import re
from pathlib import Path

from harness.commands import CommandError, run_command
from harness.repository import REPOSITORY

_FILE = "chart/Chart.yaml"


async def previous_chart(folder: Path) -> tuple[str, Path] | None:
    """Write the previous chart; return its version and path, or None if the checkout does not contain its commit."""
    present = _version((REPOSITORY / _FILE).read_text(encoding="utf-8"))
    try:
        after = ""
        commits = await run_command("git", "log", "--format=%H", "--", _FILE, folder=REPOSITORY)
        for commit in commits.split():
            version = _version(await run_command("git", "show", f"{commit}:{_FILE}", folder=REPOSITORY))
            if version != present:
                # Use the last commit with that version, which includes changes made after the version was set.
                return version, await _write(f"{after}^" if after else "HEAD", folder)
            after = commit
    except CommandError:
        pass
    return None


async def _write(commit: str, folder: Path) -> Path:
    archive = folder / "chart.tar"
    await run_command("git", "archive", f"--output={archive}", commit, "chart", folder=REPOSITORY)
    await run_command("tar", "--extract", f"--file={archive}", f"--directory={folder}")
    return folder / "chart"


def _version(chart: str) -> str:
    found = re.search(r"(?m)^version: *(\S+)", chart)
    assert found, "a chart has a version"
    return found[1]
