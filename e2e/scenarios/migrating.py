"""A migration that fails changes nothing for those who are served, and any number of them at once migrate once."""

from e2e.bench import Bench, Scenario
from e2e.commands import CommandError
from e2e.release import NAME, deploy, image
from e2e.traffic import judge, load, traffic
from faults.row import Row

_MIGRATIONS = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=migration"
_GIVE_UP_SECONDS = 20
_AT_ONCE = 10


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
    after = await release.deployment()
    row.hold(after["metadata"]["generation"] == before["metadata"]["generation"], "the Deployment has changed")
    row.hold(len(await release.ready_pods()) == 2, "a pod is gone")
    log = await bench.kubectl("logs", "--selector", _MIGRATIONS, "--tail=-1")
    row.hold('relation "no_such_table" does not exist' in log, f"the Job's log says {log[-300:]}")
    row.measured = f"the database stays at {', '.join(await database.query('SELECT version_num FROM alembic_version'))}"
    judge(row, record)
    return row


SCENARIOS: dict[str, Scenario] = {"migrate.failing": failing}
