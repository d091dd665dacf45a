"""A failed migration does not affect the running service, and concurrent migrations apply each revision once."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from e2e.scenario import Scenario
from e2e.traffic import judge, load, traffic
from harness.cluster.bench import Bench, Object
from harness.cluster.database import Postgres, secret
from harness.cluster.release import EXTERNAL, NAME, SECRET, Release, deploy, image
from harness.commands import CommandError
from harness.row import Row

_MIGRATIONS = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=migration"
_GIVE_UP_SECONDS = 20
_AT_ONCE = 10
_MANY = "many-migrations"
LOCK = 0x6D696772617465  # the lock id of chassis/migrations/run.py
_VERSION_TABLES = ("chassis_version", "alembic_version")


async def failing(bench: Bench) -> Row:
    """Upgrades to an image whose migration fails."""
    clients = bench.count(50, 20)
    release, database = await deploy(bench)
    row = Row(
        "an upgrade whose migration fails",
        load(clients),
        promise="Helm says that it failed; the old pods stay; the reason is in the Job's log; no failed request",
    )
    before = await release.deployment()
    bench.status = "upgrading"
    over = image("unmigratable") | {"migrations": {"timeoutSeconds": _GIVE_UP_SECONDS}}
    async with traffic(bench, clients) as record:
        try:
            await release.upgrade("--timeout=1m", over=over)
            row.hold(False, "helm upgrade says that it succeeded")
        except CommandError:
            pass
        await release.until_settled()
    after = await release.deployment()
    row.hold(after["metadata"]["generation"] == before["metadata"]["generation"], "the Deployment has changed")
    row.hold(len(await release.ready_pods()) == 2, "a pod is gone")
    log = await bench.kubectl("logs", "--selector", _MIGRATIONS, "--tail=-1")
    row.hold('relation "no_such_table" does not exist' in log, f"the Job's log says {log[-300:]}")
    row.measured = f"the database stays at {', '.join(await database.query('SELECT version_num FROM alembic_version'))}"
    judge(row, record)
    return row


async def at_once(bench: Bench) -> Row:
    """Starts ten migrations at once on an empty database, and a release of ten pods on another."""
    row = Row(
        f"{_AT_ONCE} migrations at once, then a release of {_AT_ONCE} pods",
        "two empty databases",
        promise="each revision is applied once; all end well and are ready",
    )
    database = Postgres(bench)
    await database.start()
    for name in ("first", "second"):
        await database.query(f"CREATE DATABASE {name}")
    await bench.apply(secret(SECRET, DATABASE_URL=database.url("first")))
    small = {"resources": {"requests": {"cpu": "10m"}}, "config": {"databasePoolSize": 3, "databaseStreamPoolSize": 1}}
    release = Release(bench, EXTERNAL | small | {"replicas": _AT_ONCE})
    bench.status = f"{_AT_ONCE} migrations at once"
    async with _held_back(database, "first"):
        await bench.apply(await _many(release))
        await bench.until(lambda: _are_connected(database, "first"), f"{_AT_ONCE} migrations connected")
    begun = time.monotonic()
    await bench.kubectl("wait", "--for=condition=Complete", f"job/{_MANY}", "--timeout=2m")
    row.measured = f"all {_AT_ONCE} migrations ended {time.monotonic() - begun:.0f} s after they were let go"
    pods = await bench.objects("pods", "--selector", f"job-name={_MANY}")
    row.hold(len(pods) == _AT_ONCE, f"{len(pods)} pods for {_AT_ONCE} migrations")  # the Job retried none
    logs = [await bench.kubectl("logs", pod["metadata"]["name"]) for pod in pods]
    await _judge_revisions(row, database, "first", logs)
    row.hold(all("migration_waiting" in log for log in logs), "they did not wait for each other")
    bench.status = f"a release of {_AT_ONCE} pods"
    await bench.apply(secret(SECRET, DATABASE_URL=database.url("second")))
    begun = time.monotonic()
    await release.install()
    ready = len(await release.ready_pods())
    row.hold(ready == _AT_ONCE, f"{ready} pods are ready")
    row.measured += f"; {ready} pods ready {time.monotonic() - begun:.0f} s after helm install"
    await _judge_revisions(
        row, database, "second", [await bench.kubectl("logs", "--selector", _MIGRATIONS, "--tail=-1")]
    )
    return row


@asynccontextmanager
async def _held_back(database: Postgres, name: str) -> AsyncIterator[None]:
    """Block all migrations of a database until the block ends, so that they start at the same time."""
    holding = asyncio.create_task(database.query(f"SELECT pg_advisory_lock({LOCK}), pg_sleep(600)", name))
    try:
        yield
        await database.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)  # raises, because its connection was terminated


async def _are_connected(database: Postgres, name: str) -> bool:
    clients = f"datname = '{name}' AND backend_type = 'client backend'"
    connections = await database.query(f"SELECT 1 FROM pg_stat_activity WHERE {clients}")
    return len(connections) == _AT_ONCE + 1  # plus the connection that blocks them


async def _many(release: Release) -> Object:
    """Return the release's migration Job, changed to run many times in parallel."""
    [job] = [each for each in await release.rendered() if each["kind"] == "Job"]
    template = {**job["spec"]["template"], "metadata": {}}  # without the release's labels
    spec = {**job["spec"], "template": template, "completions": _AT_ONCE, "parallelism": _AT_ONCE}
    return {"apiVersion": job["apiVersion"], "kind": "Job", "metadata": {"name": _MANY}, "spec": spec}


async def _judge_revisions(row: Row, database: Postgres, name: str, logs: list[str]) -> None:
    """Check, by the migrations' logs and the version tables, that each revision was applied exactly once."""
    steps = Counter(json.loads(line)["step"] for log in logs for line in log.splitlines() if '"migrating"' in line)
    twice = [step for step, times in steps.items() if times > 1]
    row.hold(bool(steps), f"{name}: nothing was applied")
    row.hold(not twice, f"{name}: applied more than once: {', '.join(twice)}")
    for table in _VERSION_TABLES:
        versions = await database.query(f"SELECT version_num FROM {table}", name)
        row.hold(len(versions) == 1, f"{name}: {table} holds {versions}")


SCENARIOS: dict[str, Scenario] = {"migrate.failing": failing, "migrate.at-once": at_once}
