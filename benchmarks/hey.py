"""Runs hey: a closed loop, where each answer triggers the next request. A process requests one URL, so several run."""

import asyncio
import json
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from typing import Final

from benchmarks.load import Outcome, Recording, Request
from harness.load_generators import tool

# hey's CSV lacks errors and rounds to 0.1 ms, so the report is written by this template.
_REPORT: Final = "{{.NumRes}}\n{{.Total.Seconds}}\n{{jsonify .ErrorDist}}\n{{jsonify .StatusCodes}}\n{{jsonify .Lats}}"


async def run(requests: Sequence[Request], connections: int, seconds: float, host: str = "") -> Recording:
    """Run one process per request; the processes share the connections equally.

    Raises:
        RuntimeError: a process failed.
    """
    each = connections // len(requests)
    assert each * len(requests) == connections
    processes = [await asyncio.create_subprocess_exec(
        tool("hey"), "-z", f"{seconds}s", "-c", str(each), "-o", _REPORT, "-m", request.method,
        *(("-host", host) if host else ()),
        *(("-T", "application/json", "-d", request.body) if request.body else ()),
        request.url, stdout=PIPE, stderr=PIPE,
    ) for request in requests]  # fmt: skip
    told = await asyncio.gather(*(process.communicate() for process in processes))
    for process, (_, errors) in zip(processes, told, strict=True):
        if process.returncode:
            raise RuntimeError(f"hey: {errors.decode()[-500:]}")
    return lambda: _together([parse(output.decode()) for output, _ in told])


def parse(report: str) -> Outcome:
    """Parse the report of one process.

    Raises:
        RuntimeError: the report has fewer requests than were sent: hey keeps at most a million.
    """
    made, seconds, errors, statuses, latencies = report.strip().split("\n")
    outcome = Outcome(float(seconds))
    for status, latency in zip(json.loads(statuses), json.loads(latencies), strict=True):
        outcome.count(latency * 1000, status)
    for error, count in json.loads(errors).items():
        outcome.failures[_kind(error)] += count
    if outcome.requests != int(made):
        raise RuntimeError(f"hey made {made} requests and reports {outcome.requests}")
    return outcome


def _together(outcomes: list[Outcome]) -> Outcome:
    total = Outcome(0)
    for each in outcomes:
        total.add(each)
    return total


def _kind(error: str) -> str:
    """Return an error without the address at its start: `connection reset by peer`, `EOF`, …"""
    return error.rpartition(": ")[2]
