"""CPU time and memory of a process and its descendants."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants, including those started by other threads."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(*_GONE):
            for child in file.read_text().split():
                yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its descendants so far, including ended ones, in steps of 10 ms."""
    return sum(_ticks(each) for each in tree(pid)) / _TICKS


def pss_mib(pid: int) -> float:
    """Return the memory of a process and its descendants. Shared memory counts once, divided among its users."""
    return sum(_pss_kib(each) for each in tree(pid)) / 1024


def _ticks(pid: int) -> int:
    with suppress(*_GONE):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))  # user and system time of the process and of its ended children
    return 0


def _pss_kib(pid: int) -> int:
    with suppress(*_GONE):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
