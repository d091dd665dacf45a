"""The article's matrix: its deployments and one with `max_requests`, in a closed loop of GET, POST and PUT."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from benchmarks.bench import Bench
from benchmarks.judge import CONTROL
from benchmarks.keeping import Keep
from benchmarks.load import Load
from benchmarks.options import Options
from benchmarks.results import Operation
from benchmarks.rounds import Plan, measure
from benchmarks.scale import ARTICLE, connections, scaled
from benchmarks.subjects import Subject, peer, service
from harness.repository import REPOSITORY

OPERATIONS: Final[tuple[Operation, ...]] = ("get", "post", "put")
# The article's setting, with the article's worker: the worker of the service ignores this setting.
_MAX_REQUESTS: Final = (
    "--max-requests=1000", "--worker-class=aiohttp.GunicornUVLoopWebWorker", "--bind=127.0.0.1:{port}",
    "benchmarks.stock_worker:app",
)  # fmt: skip


async def run(options: Options, bench: Bench, keep: Keep) -> None:
    """Start all deployments and the control, and measure them in interleaved rounds."""
    async with AsyncExitStack() as started:
        subjects = [peer(CONTROL), *deployments(bench)]
        control, *running = [await bench.start(each, started) for each in subjects]
        clients = connections(len(bench.cores.server))
        load = Load(clients, seconds=options.count(5, 0.5), warm_up=options.count(0.5, 0.2))
        plans = [Plan("article", operation, load, running) for operation in OPERATIONS]
        await measure(options, bench, keep, control, plans)


def deployments(bench: Bench) -> list[Subject]:
    """Return the article's deployments with their limits, scaled to this machine."""
    gunicorn = (bench.python, "-m", "gunicorn", "--config=guniconfig.py")
    one, eleven = {"WEB_CONCURRENCY": "1"}, {"WEB_CONCURRENCY": "11"}
    subjects = (
        service(bench.python, bench.service, "bare"),
        Subject("gunicorn-1", (*gunicorn, "app_wsgi:app"), bench.service, one),
        Subject("gunicorn-11", (*gunicorn, "app_wsgi:app"), bench.service, eleven),
        Subject(
            "gunicorn-1-max-requests", (*gunicorn, *_MAX_REQUESTS), bench.service, one | {"PYTHONPATH": str(REPOSITORY)}
        ),
    )
    here = [scaled(ARTICLE[each.name], len(bench.cores.server)) for each in subjects]
    return [replace(each, pods=one.pods, limit=one.limit) for each, one in zip(subjects, here, strict=True)]
