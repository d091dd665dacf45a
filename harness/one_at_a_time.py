"""Lets one process at a time make what several processes share."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time(made: Path) -> Iterator[None]:
    """Wait until no other process is in such a block for the same path.

    Args:
        made: what the block makes. The lock is a file beside it.
    """
    made.parent.mkdir(parents=True, exist_ok=True)
    with made.with_name(f"{made.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the end of the process releases it, too
        yield
