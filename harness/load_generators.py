"""The load generators: hey, which the article used, and vegeta."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from harness.programs import find
from harness.repository import TOOLS

_SOURCES = {"hey": "github.com/rakyll/hey@v0.1.5", "vegeta": "github.com/tsenart/vegeta/v12@v12.13.0"}


def tool(name: str) -> Path:
    """Return the path of a program, and build it with Go if it is not installed.

    Raises:
        SystemExit: the program is not found, and neither is Go.
    """
    if found := find(name):
        return Path(found)
    source = _SOURCES[name]
    if not (go := shutil.which("go")):
        sys.exit(f"{name} is not on PATH, nor is Go to build it: go install {source}, or put either there.")
    print(f"Building {source} …", flush=True)
    TOOLS.mkdir(parents=True, exist_ok=True)
    subprocess.run([go, "install", source], env=os.environ | {"GOBIN": str(TOOLS)}, check=True)
    return TOOLS / name


def versions() -> dict[str, str]:
    """Return the versions of the programs. Programs on PATH may not report theirs."""
    return {
        name: source.rpartition("@")[2] if tool(name).is_relative_to(TOOLS) else "as found on PATH"
        for name, source in _SOURCES.items()
    }
