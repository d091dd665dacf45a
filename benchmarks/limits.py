"""Limits CPU and memory as a container runtime does, by the kernel's control groups."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_PERIOD_US = 100_000  # the default of container runtimes
_PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class Limit:
    """CPU cores and MiB of memory that a pod may use."""

    cpu: float
    memory_mib: float


def are_possible() -> bool:
    """Return whether this user may create control groups here."""
    with suppress(OSError), limited("benchmark-trial", Limit(1, 64)):
        return True
    return False


@contextmanager
def limited(name: str, limit: Limit) -> Iterator[tuple[str, ...]]:
    """Yield a command prefix that runs a command within the limit. All processes have to end within the block."""
    quota, memory = round(limit.cpu * _PERIOD_US), round(limit.memory_mib * 2**20)
    if (_ROOT / "cgroup.controllers").exists():
        enable = _ROOT / "cgroup.subtree_control"
        if not {"cpu", "memory"} <= {*enable.read_text().split()}:
            enable.write_text("+cpu +memory")
        files = {_ROOT / name / "cpu.max": f"{quota} {_PERIOD_US}", _ROOT / name / "memory.max": str(memory)}
    else:
        files = {
            _ROOT / "cpu" / name / "cpu.cfs_period_us": str(_PERIOD_US),
            _ROOT / "cpu" / name / "cpu.cfs_quota_us": str(quota),
            _ROOT / "memory" / name / "memory.limit_in_bytes": str(memory),
        }
    folders = list(dict.fromkeys(file.parent for file in files))
    try:
        for folder in folders:
            folder.mkdir(exist_ok=True)
        for file, value in files.items():
            file.write_text(value)
        enter = " && ".join(f'echo $$ > "{folder}/cgroup.procs"' for folder in folders)
        yield ("sh", "-c", f'{enter} && exec "$@"', "sh")
    finally:
        for folder in folders:
            _remove(folder)


def _remove(folder: Path) -> None:
    """Kill what still runs in a control group, such as workers without their master, and remove the group."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while folder.exists():
        for pid in (folder / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
