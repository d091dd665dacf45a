"""Runs vegeta: an open loop at a fixed rate, where slow answers delay no request, and a closed loop over many ids."""

import asyncio
import csv
import json
import os
import subprocess
from asyncio.subprocess import PIPE
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import mkstemp
from typing import Final

from benchmarks.load import Outcome, Recording, Request
from harness.load_generators import tool

OPEN_CONNECTIONS: Final = 1_000
"""Maximum connections of an open loop. Without a maximum, each request that finds no idle connection opens a new one.
With ten thousand connections, vegeta searched for free ports instead of sending requests."""

_TIMEOUT_SECONDS = 20  # the same as hey's
_NANOSECONDS = 1_000_000_000


async def closed(requests: Sequence[Request], connections: int, seconds: float, scratch: Path) -> Recording:
    """Run a closed loop: keep `connections` requests in flight, cycling through the given requests."""
    options = ("-rate=0", f"-workers={connections}", f"-max-workers={connections}", f"-connections={connections}")
    results = await _attack(requests, seconds, scratch, options)
    return lambda: parse(_rows(results))


async def open_loop(
    requests: Sequence[Request], rate: int, seconds: float, settle_seconds: float, scratch: Path
) -> Recording:
    """Send requests at a fixed rate, independent of the answers, on at most `OPEN_CONNECTIONS` connections.

    Args:
        rate: requests per second.
        seconds: duration of the recorded load.
        settle_seconds: duration of the load before it, which is not recorded.
    """
    options = (f"-rate={rate}/1s", f"-max-connections={OPEN_CONNECTIONS}")
    results = await _attack(requests, settle_seconds + seconds, scratch, options)
    return lambda: parse(_rows(results), rate, settle_seconds)


def parse(rows: Iterable[Sequence[str]], rate: float | None = None, settle_seconds: float = 0) -> Outcome:
    """Parse vegeta's CSV: nanoseconds since the epoch, status, latency in nanoseconds, …, error, …, sequence number.

    At a fixed rate, request n is due n / rate after the first, and its latency is measured from that time. vegeta
    measures from the time of sending. vegeta sends no request early, so the request with the smallest delay determines
    the due times. Requests that were due while the load settled are left out.
    """
    requests = [(int(row[8]), int(row[0]), int(row[2]), int(row[1]), row[5]) for row in rows]
    pause = _NANOSECONDS / rate if rate else 0
    first = min((begun - round(number * pause) for number, begun, *_ in requests), default=0)
    last = max((begun + latency for _, begun, latency, *_ in requests), default=0)
    counted = Outcome(0)
    for number, begun, latency, status, error in requests:
        due = first + round(number * pause) if rate else begun
        if due - first >= settle_seconds * _NANOSECONDS:
            counted.count((begun + latency - due) / 1e6, status, _kind(error))
    counted.seconds = counted.requests / rate if rate else (last - first) / _NANOSECONDS
    return counted


async def _attack(requests: Sequence[Request], seconds: float, scratch: Path, options: Iterable[str]) -> Path:
    descriptor, name = mkstemp(dir=scratch, prefix="vegeta-")
    os.close(descriptor)
    results = Path(name)
    process = await asyncio.create_subprocess_exec(
        tool("vegeta"), "attack", "-format=json", f"-duration={seconds}s", f"-timeout={_TIMEOUT_SECONDS}s",
        "-max-body=0", "-http2=false", f"-output={results}", *options, stdin=PIPE, stderr=PIPE,
    )  # fmt: skip
    targets = "".join(json.dumps(request.as_target()) + "\n" for request in requests)
    _, errors = await process.communicate(targets.encode())
    if process.returncode:
        raise RuntimeError(f"vegeta: {errors.decode()[-500:]}")
    return results


def _rows(results: Path) -> Iterable[Sequence[str]]:
    """Yield the rows of a results file, then delete the file."""
    command = [str(tool("vegeta")), "encode", "-to=csv", str(results)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield from csv.reader(process.stdout)
    results.unlink()
    if process.returncode:
        raise RuntimeError("vegeta could not read what it has written")


def _kind(error: str) -> str:
    """Return an error without the address at its start."""
    return error.rpartition(": ")[2]
