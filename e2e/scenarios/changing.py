"""Changes other than a new image: updates from earlier releases of the template, and a new database password."""

import tempfile
from functools import partial
from pathlib import Path

import yaml

from e2e import storage
from e2e.scenario import Scenario
from e2e.traffic import judge, load, traffic
from harness.baking import bake_release
from harness.cluster.bench import Bench
from harness.cluster.database import secret
from harness.cluster.images import build_and_load, unchanged
from harness.cluster.release import SECRET, Release, deploy, evaluation, image
from harness.items import create_item
from harness.releases import releases
from harness.row import Row
from harness.values import Values, merge

_CLIENTS = 50
_ROTATED = {"user": "rotated", "password": "anew"}
# The cluster has no operator of Prometheus and no certificate.
_HERE: Values = {
    "serviceMonitor": {"enabled": False},
    "prometheusRule": {"enabled": False},
    "ingress": {"tlsSecretName": ""},
    "database": {"existingSecret": SECRET},
}


async def update_from(version: str, bench: Bench) -> Row:
    """Updates a service of an earlier release, its image and its chart, in the two modes whose database is here."""
    row = Row(
        f"an update from release {version}: image, chart, `deploy/production.yaml`; by Helm 3 before, by Helm 4 now",
        load(_CLIENTS),
        promise="no immutable field is changed; no failed request; no item lost, in mode evaluation neither",
    )
    bench.status = "building the image"
    today = bench.service
    with tempfile.TemporaryDirectory() as folder:
        earlier = bake_release(version, Path(folder))
        await build_and_load(bench.options, earlier, {version: unchanged})
        await _external(bench, earlier, today, version, row)
        await _evaluation(bench, earlier, today, version, row)
    return row


async def _external(bench: Bench, earlier: Path, today: Path, version: str, row: Row) -> None:
    bench.service = earlier
    release, database = await deploy(bench, merge(_production(bench, earlier), image(version)), "helm3")
    async with traffic(bench, _CLIENTS) as record:
        bench.status = "updating, mode external"
        bench.service, release.helm = today, "helm"
        release.values = _production(bench, today)
        await release.upgrade()
        await release.until_settled()
    judge(row, record)
    created = sum(each.status == 201 for each in record.outcomes)
    kept = int((await database.query("SELECT count(*) FROM items"))[0])
    row.hold(kept >= created, f"{created} items were created, and {kept} are there")
    row.measured = f"{created:,} items created meanwhile, {kept:,} there"
    await release.uninstall()


def _production(bench: Bench, service: Path) -> Values:
    values: Values = yaml.safe_load((service / "deploy" / "production.yaml").read_text(encoding="utf-8"))
    return merge(values, merge(_HERE, {"ingress": {"host": bench.host}}))


async def _evaluation(bench: Bench, earlier: Path, today: Path, version: str, row: Row) -> None:
    bench.status = "updating, mode evaluation"
    bench.service = earlier
    release = Release(bench, merge(evaluation(bench), image(version)), "helm3")
    async with storage.opened(bench):
        await release.install()
    await release.until_served()
    item = await create_item(bench.options.ingress_port, Host=bench.host)
    bench.service, release.helm = today, "helm"
    release.values = evaluation(bench)
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


SCENARIOS: dict[str, Scenario] = {
    **{f"change.from-{version}": partial(update_from, version) for version in releases()},
    "change.secret": rotated_secret,
}
