"""What a process and all below it take."""

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)


def tree(pid: int) -> Iterator[int]:
    """A process and all below it, whichever thread started them."""
    yield pid
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(*_GONE):
            for child in file.read_text().split():
                yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and all below it since they began, those that have ended included; in steps of 10 ms."""
    return sum(_ticks(each) for each in tree(pid)) / _TICKS


def pss_mib(pid: int) -> float:
    """Memory of a process and all below it; what several processes share counts once, divided among them."""
    return sum(_pss_kib(each) for each in tree(pid)) / 1024


def _ticks(pid: int) -> int:
    with suppress(*_GONE):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))  # user and system time, of the process and of its children that ended
    return 0


def _pss_kib(pid: int) -> int:
    with suppress(*_GONE):
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
