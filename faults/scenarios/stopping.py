"""Promise 1: a restart fails no request, and a shutdown ends in time, even if clients keep connections open."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from faults.balancer import Balancer
from faults.bench import SLACK_SECONDS, Bench, Scenario
from faults.commands import APP, GUNICORN
from faults.sockets import Dripping, idle, unread
from harness.http import Client, request
from harness.items import ITEM, create_item
from harness.load import closed_loop, reads_and_writes
from harness.record import Record
from harness.row import Row

_DRAIN_SECONDS = 1
_AFTER_DRAIN_SECONDS = 5  # the promised limit
_STOP_SECONDS = _DRAIN_SECONDS + _AFTER_DRAIN_SECONDS
_SLOW_CLIENTS = 100
_GUNICORN = {"WEB_CONCURRENCY": 2}
_NOBODY: dict[str, int] = {}


async def rolling(bench: Bench, *, command: tuple[str, ...] = APP, settings: dict[str, int] = _NOBODY) -> Row:
    """Restarts two instances in turn under full load."""
    restarts = bench.count(100, 4)
    # The quick run has fewer clients than a pool has connections, so none waits for one on a busy machine.
    clients = bench.count(20, 8)
    database = await bench.postgres()
    instances = [
        await bench.running_service(database.url, command, DRAIN_SECONDS=_DRAIN_SECONDS, **settings) for _ in range(2)
    ]
    balancer, record, longest = Balancer(instances), Record(), 0.0
    choose = reads_and_writes(await create_item(instances[0].port))
    async with balancer.following(), closed_loop(balancer.port, choose, clients, record):
        for number in range(restarts):
            bench.status = f"{number} of {restarts} restarts, {record.failures} failures"
            instance = instances[number % 2]
            longest = max(longest, await instance.stop())
            await instance.start()
            await instance.until_ready()
            await balancer.until_sent_to(instance)
    row = Row(
        f"{restarts} restarts in turn, two instances{_under(command)}",
        f"{clients} keep-alive clients at full speed, no retries; {_named(settings)}",
        requests=len(record.outcomes),
        failures=record.failures,
        measured=f"longest stop {longest:.1f} s",
        promise=f"no failed request; each stop within the drain and {_AFTER_DRAIN_SECONDS} s",
    )
    row.hold(record.failures < len(record.outcomes), "nothing was answered")
    row.hold(longest <= _STOP_SECONDS + SLACK_SECONDS, f"a stop took {longest:.1f} s")
    row.hold(record.failures == 0, f"{record.failures} failed: {dict(record.errors)}")
    return row


async def slow_clients(bench: Bench, *, command: tuple[str, ...] = APP, settings: dict[str, int] = _NOBODY) -> Row:
    """Stops an instance that slow clients hold on to."""
    database = await bench.postgres()
    service = await bench.running_service(database.url, command, DRAIN_SECONDS=_DRAIN_SECONDS, **settings)
    async with _held(service.port, _SLOW_CLIENTS // 4):
        bench.status = f"stopping under {_SLOW_CLIENTS} slow clients"
        seconds = await service.stop()
    row = Row(
        f"a stop while slow clients hold connections{_under(command)}",
        f"{_SLOW_CLIENTS} clients: a quarter each in a head, in a body, not reading, idle; {_named(settings)}",
        measured=f"ended after {seconds:.2f} s",
        promise=f"ended within the drain and {_AFTER_DRAIN_SECONDS} s",
    )
    row.hold(seconds <= _STOP_SECONDS + SLACK_SECONDS, f"ended after {seconds:.2f} s, not {_STOP_SECONDS} s")
    return row


@asynccontextmanager
async def _held(port: int, each: int) -> AsyncIterator[None]:
    """Keep connections of four kinds of slow clients open until the block ends."""
    large = ITEM | {"description": "x" * 2000}
    client = Client(port)
    for _ in range(100):
        await client.send(request("POST", "/v1/items", large))
    client.close()
    async with AsyncExitStack() as clients:
        for _ in range(each):
            await clients.enter_async_context(Dripping(port, request("GET", "/v1/items")[:-2] + b"X-Slow: "))
            await clients.enter_async_context(Dripping(port, request("POST", "/v1/items", large)[:-2000]))
            await clients.enter_async_context(unread(port, request("GET", "/v1/items?limit=100"), 50))
            await clients.enter_async_context(idle(port, request("GET", "/v1/items/1")))
        yield


def _under(command: tuple[str, ...]) -> str:
    return ", Gunicorn" if command == GUNICORN else ""


def _named(settings: dict[str, int]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in {"DRAIN_SECONDS": _DRAIN_SECONDS, **settings}.items())


SCENARIOS: dict[str, Scenario] = {
    "stopping.rolling": rolling,
    "stopping.rolling-gunicorn": partial(rolling, command=GUNICORN, settings=_GUNICORN),
    "stopping.slow-clients": slow_clients,
    "stopping.slow-clients-gunicorn": partial(slow_clients, command=GUNICORN, settings=_GUNICORN),
}
