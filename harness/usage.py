"""CPU time, memory and open files of a process and its descendants, from /proc."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_GONE = (FileNotFoundError, ProcessLookupError)


def children(pid: int) -> list[int]:
    """Return the running children of a process, including those started by other threads."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(*_GONE):
            found += map(int, file.read_text().split())
    return found


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    for child in children(pid):
        yield from tree(child)


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process and its descendants so far. That of ended ones comes in steps of 10 ms."""
    return sum(_own_seconds(each) + _ticks_of_ended_children(each) / _TICKS for each in tree(pid))


def pss_mib(pid: int) -> float:
    """Return the memory of a process and its descendants. Shared memory counts once, divided among its users."""
    return sum(_kib(each, "smaps_rollup", "Pss") for each in tree(pid)) / 1024


def rss_mib(pid: int, name: str = "VmRSS") -> float:
    """Return the memory of a process and its descendants, shared memory included each time; `VmHWM` is the peak."""
    return sum(_kib(each, "status", name) for each in tree(pid)) / 1024


def descriptors(pid: int) -> int:
    """Return the number of files and sockets that a process and its descendants have open."""
    return sum(len(os.listdir(f"/proc/{each}/fd")) for each in tree(pid))


def _own_seconds(pid: int) -> float:
    """Return the CPU time of all threads of a process, by its CPU clock; /proc rounds down to ticks of 10 ms."""
    with suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3) as Linux implements it
    return 0


def _ticks_of_ended_children(pid: int) -> int:
    with suppress(*_GONE):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[13:15]))
    return 0


def _kib(pid: int, file: str, name: str) -> int:
    with suppress(*_GONE):
        found = re.search(rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/{file}").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
