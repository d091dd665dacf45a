"""CPU time, memory and open files of a process and its descendants, and the use of the cores, from /proc."""

import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
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


@dataclass(frozen=True)
class CoreUsage:
    """Seconds, and how many of them each core was idle or stolen by the host: since the start or another reading."""

    seconds: float
    idle: Mapping[int, float]
    stolen: Mapping[int, float]

    def since(self, before: "CoreUsage") -> "CoreUsage":
        idle, stolen = (
            {core: now - then[core] for core, now in these.items()}
            for these, then in ((self.idle, before.idle), (self.stolen, before.stolen))
        )
        return CoreUsage(self.seconds - before.seconds, idle, stolen)

    @property
    def steal(self) -> float:
        """Share of the time of all cores."""
        return sum(self.stolen.values()) / self.seconds / len(self.stolen)

    def busy(self, cores: Collection[int]) -> float:
        """Return the share of the time of these cores that was used."""
        unused = sum(self.idle[core] + self.stolen[core] for core in cores)
        return min(1.0, max(0.0, 1 - unused / self.seconds / len(cores)))


def core_usage() -> CoreUsage:
    """Read the time of the cores so far."""
    idle, stolen = {}, {}
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name != "cpu":
            core = int(name.removeprefix("cpu"))
            idle[core] = (int(ticks[3]) + int(ticks[4])) / _TICKS
            stolen[core] = int(ticks[7]) / _TICKS
    return CoreUsage(time.monotonic(), idle, stolen)


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
