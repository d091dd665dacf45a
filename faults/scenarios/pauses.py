"""Promise: a process that stands still refuses none of the requests that wait meanwhile."""

import asyncio
import os
import signal

from faults.bench import Bench, Scenario
from harness.load import closed_loop, reads_and_writes
from harness.record import Record
from harness.row import Row

_CLIENTS = 64
_PAUSE_SECONDS, _RUN_SECONDS = 0.3, 0.7


async def paused(bench: Bench) -> Row:
    """Stops and resumes the process again and again, as a busy host does, or a CPU limit that is used up."""
    database = await bench.postgres()
    service = await bench.running_service(database.url)
    record, pauses = Record(), round(bench.count(30, 5))
    async with closed_loop(service.port, reads_and_writes(share_of_writes=1), _CLIENTS, record):
        for number in range(pauses):
            bench.status = f"pause {number + 1} of {pauses}"
            await asyncio.sleep(_RUN_SECONDS)
            os.kill(service.pid, signal.SIGSTOP)
            await asyncio.sleep(_PAUSE_SECONDS)
            os.kill(service.pid, signal.SIGCONT)
    row = Row(
        f"{pauses} pauses of the process, {_PAUSE_SECONDS} s each",
        f"{_CLIENTS} keep-alive clients at full speed that write",
        requests=len(record.outcomes),
        failures=record.failures,
        measured=f"slowest answer {record.slowest():.2f} s",
        promise="no failed request",
    )
    row.hold(record.failures == 0, f"failed: {dict(record.errors)}")
    return row


SCENARIOS: dict[str, Scenario] = {"process.paused": paused}
