"""Changes other than a new image: an upgrade of the chart, and a new database password."""

import tempfile
from pathlib import Path

from e2e import storage
from e2e.previous import previous_chart
from e2e.scenario import Scenario
from e2e.traffic import judge, load, traffic
from harness.cluster.bench import Bench
from harness.cluster.database import secret
from harness.cluster.release import SECRET, Release, deploy, evaluation
from harness.items import create_item
from harness.row import Row

_CLIENTS = 50
_ROTATED = {"user": "rotated", "password": "anew"}


async def chart(bench: Bench) -> Row:
    """Upgrades releases of the previous version of the chart, in the two modes whose database is here."""
    with tempfile.TemporaryDirectory() as folder:
        found = await previous_chart(Path(folder))
        if found is None:
            return Row("an upgrade from the chart's previous version", not_run="it is not in this checkout's history")
        version, old = found
        row = Row(
            f"an upgrade from the chart's version {version}, modes external and evaluation",
            f"mode external: {load(_CLIENTS)}",
            promise="no failed request; no item lost",
        )
        release, database = await deploy(bench, chart=old)
        async with traffic(bench, _CLIENTS) as record:
            bench.status = "upgrading, mode external"
            release.chart = None
            await release.upgrade()
            await release.until_settled()
        judge(row, record)
        created = sum(each.status == 201 for each in record.outcomes)
        kept = int((await database.query("SELECT count(*) FROM items"))[0])
        row.hold(kept >= created, f"{created} items were created, and {kept} are there")
        await release.uninstall()
        await _evaluation(bench, old, row)
    row.measured = f"{created:,} items created meanwhile, none lost; mode evaluation keeps its item"
    return row


async def _evaluation(bench: Bench, old: Path, row: Row) -> None:
    bench.status = "upgrading, mode evaluation"
    release = Release(bench, evaluation(bench), chart=old)
    async with storage.opened(bench):
        await release.install()
    await release.until_served()
    item = await create_item(bench.options.ingress_port, Host=bench.host)
    release.chart = None
    await release.upgrade()
    answer = await release.ask("GET", f"/v1/items/{item}")
    row.hold(answer.ok, f"mode evaluation: its item gets a {answer.status}")


async def rotated_secret(bench: Bench) -> Row:
    """Changes the database's user and password in its Secret, and has the pods roll by an annotation."""
    release, database = await deploy(bench)
    row = Row(
        "a Secret rotated: another user and password, and `podAnnotations` with another checksum",
        load(_CLIENTS),
        promise="all pods use the new ones when Helm says so; no failed request",
    )
    user, password = _ROTATED["user"], _ROTATED["password"]
    await database.query(f"CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{password}'")
    async with traffic(bench, _CLIENTS) as record:
        bench.status = "rotating"
        await bench.apply(secret(SECRET, DATABASE_URL=database.url(**_ROTATED)))
        await release.upgrade(over={"podAnnotations": {"checksum/database": "another"}})
        await release.until_settled()
        users = await database.query(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr <> '127.0.0.1' AND datname = 'service'"
        )
    row.hold(users == [user], f"connections of {', '.join(users)} after it")
    judge(row, record)
    return row


SCENARIOS: dict[str, Scenario] = {"change.chart": chart, "change.secret": rotated_secret}
