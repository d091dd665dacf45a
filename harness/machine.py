"""Describes this machine."""

import os
import platform
from pathlib import Path


def processor() -> str:
    """Return the model of the processor."""
    lines = (line.partition(":") for line in Path("/proc/cpuinfo").read_text().splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == "model name"), platform.machine())


def memory() -> str:
    """Return the size of the memory, as `16 GiB`."""
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def kernel() -> str:
    """Return the name and the version of the kernel."""
    return f"{platform.system()} {platform.release()}"
