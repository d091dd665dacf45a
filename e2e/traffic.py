"""Load through the Ingress controller: keep-alive clients that mix reads and writes and never retry."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from harness.cluster.bench import Bench
from harness.http import request
from harness.items import ITEM, create_item
from harness.load import closed_loop
from harness.record import Record
from harness.row import Row

_THINK_SECONDS = 1.0  # leaves a machine with two cores enough time for the cluster
_ITEMS = 20


@asynccontextmanager
async def traffic(bench: Bench, clients: int) -> AsyncIterator[Record]:
    """Send requests while the block runs."""
    port, record = bench.options.ingress_port, Record()
    items = [await create_item(port, Host=bench.host) for _ in range(_ITEMS)]
    async with closed_loop(port, _mixed(bench.host, items), clients, record, _THINK_SECONDS):
        yield record


def load(clients: int) -> str:
    """Describe the load in words."""
    return (
        f"{clients} keep-alive clients through the Ingress controller, a third each GET, POST and PUT, no retries, "
        f"{_THINK_SECONDS:g} s on average between an answer and the next request"
    )


def judge(row: Row, record: Record, *, may_fail: bool = False) -> None:
    """Copy the figures to the row. Unless failures are allowed, check that no request failed."""
    row.requests, row.failures = len(record.outcomes), record.failures
    row.hold(row.requests > 0, "nothing was asked")
    failed = ", ".join(f"{count} × {error}" for error, count in record.errors.items())
    if may_fail:
        row.measured = "; ".join(filter(None, [row.measured, f"failed: {failed}" if failed else ""]))
    else:
        row.hold(not failed, f"failed requests: {failed}")


def _mixed(host: str, items: list[int]) -> Callable[[], bytes]:
    headers = {"Host": host}
    questions = [request("POST", "/v1/items", ITEM, **headers)] * len(items)
    for item in items:
        questions += [
            request("GET", f"/v1/items/{item}", **headers),
            request("PUT", f"/v1/items/{item}", ITEM, **headers),
        ]
    return lambda: random.choice(questions)
