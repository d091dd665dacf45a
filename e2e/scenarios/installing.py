"""After an installation the service answers requests; after an uninstallation only the documented objects remain."""

import json
import re
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from itertools import product

from e2e import cnpg, storage
from e2e.scenario import Scenario
from harness.cluster.bench import Bench
from harness.cluster.database import Postgres, secret
from harness.cluster.release import EXTERNAL, NAME, PODS, SECRET, TEST_WRITES, VOLUME, Release, evaluation
from harness.row import Row
from harness.values import Values

_HELMS = {"helm": "Helm 4", "helm3": "Helm 3"}
_ENTRIES: dict[str, Values] = {"direct": {}, "Gunicorn": {"gunicorn": {"enabled": True}}}
_ALL = [*product(_HELMS, _ENTRIES)]
_CNPG: Values = {"database": {"mode": "cnpg"}, "cnpg": {"instances": 1, "storageSize": "1Gi"}}
_TEST = rf"pod/{NAME}-test"
# Ignored: events and metrics, which the cluster records about other objects.
_UNCOUNTED = re.compile(r"(event\.events\.k8s\.io|event|podmetrics\.metrics\.k8s\.io)/.*")

# Prints the properties that a process in the pod can read about itself.
_PROBE = """
import json, os, pathlib
status = dict(line.split(":", 1) for line in pathlib.Path("/proc/1/status").read_text().splitlines())
limits = [pathlib.Path("/sys/fs/cgroup", name) for name in ("memory.max", "memory/memory.limit_in_bytes")]
print(json.dumps({
    "uid": int(status["Uid"].split()[0]),
    "capabilities": int(status["CapEff"], 16),
    "no new privileges": int(status["NoNewPrivs"]),
    "read-only root": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
    "memory limit in MiB": next(int(limit.read_text()) >> 20 for limit in limits if limit.exists()),
    "token": os.path.exists("/var/run/secrets/kubernetes.io"),
}))
"""
_AS_RENDERED = {
    "uid": 10001, "capabilities": 0, "no new privileges": 1, "read-only root": True, "memory limit in MiB": 256,
    "token": False,
}  # fmt: skip


async def external(bench: Bench) -> Row:
    """Mode external."""
    bench.status = "starting PostgreSQL"
    database = Postgres(bench)
    await database.start()
    await bench.apply(secret(SECRET, DATABASE_URL=database.url()))
    left = {rf"job\.batch/{NAME}-migrate-\w+", rf"pod/{NAME}-migrate-\w+-\w+", _TEST}
    combinations = _ALL[:1] if bench.quick else _ALL
    return await _all(bench, EXTERNAL, combinations, left)


async def bundled(bench: Bench) -> Row:
    """Mode evaluation."""
    combinations = _ALL[-1:] if bench.quick else _ALL
    left = {rf"persistentvolumeclaim/{VOLUME}", _TEST}
    row = await _all(bench, evaluation(bench), combinations, left, lambda: storage.opened(bench))
    if await storage.is_for_root_only(bench):
        row.load = "the volume opened to user 70 by hand, as the cluster's provisioner makes it for root only"
    return row


async def cloudnative_pg(bench: Bench) -> Row:
    """Mode cnpg."""
    cluster = rf"cluster\.postgresql\.cnpg\.io/{cnpg.CLUSTER}"
    if await cnpg.is_there(bench):
        # The Cluster remains, and with it all objects that the operator has created for it.
        row = await _all(bench, _CNPG, _ALL, {cluster, _TEST, rf"\S+/{cnpg.CLUSTER}\S*"})
        row.load = "the operator of CloudNativePG"
        return row
    if reason := await cnpg.define(bench):
        return Row("install, helm test, uninstall in mode cnpg", not_run=reason)
    database = Postgres(bench, f"{cnpg.CLUSTER}-rw", {"cnpg.io/cluster": cnpg.CLUSTER})
    await database.start()
    row = await _all(
        bench, _CNPG, _ALL, {cluster, _TEST, rf"secret/{cnpg.CLUSTER}-app"}, lambda: cnpg.played(bench, database)
    )
    row.load = "CloudNativePG's resource definitions; the operator's part, a PostgreSQL and its Secret, is played"
    return row


async def _all(
    bench: Bench,
    values: Values,
    combinations: list[tuple[str, str]],
    left: set[str],
    around: Callable[[], AbstractAsyncContextManager[None]] = nullcontext,
) -> Row:
    """Install, test and uninstall with each Helm and entry point, each time within the context manager `around`."""
    row = Row(
        f"install, helm test, uninstall in mode {values['database']['mode']}",
        promise="ready and green; pods of user 10001 with a read-only root, no capabilities, no token and the memory "
        "limit of the values; nothing left but what chart/README.md says",
    )
    figures = []
    for helm, entry in combinations:
        bench.status = f"{_HELMS[helm]}, {entry}"
        release = Release(bench, values | _ENTRIES[entry] | TEST_WRITES, helm)
        async with around():
            figures.append(f"{bench.status}: {await _once(release, left, row)}")
    row.measured = "; ".join(figures)
    return row


async def _once(release: Release, left: set[str], row: Row) -> str:
    bench, name = release.bench, release.bench.status
    before = await _objects(bench)
    begun = time.monotonic()
    await release.install()
    seconds = time.monotonic() - begun
    pods = await release.ready_pods()
    row.hold(len(pods) == 2, f"{name}: {len(pods)} pods are ready")
    for pod in pods:
        probed = json.loads(await bench.kubectl("exec", pod["metadata"]["name"], "--", "python", "-c", _PROBE))
        row.hold(probed == _AS_RENDERED, f"{name}: a pod is {probed}")
    tested = await release.test()
    row.hold(tested.startswith("0 of "), f"{name}: helm test says {tested}")
    said = await release.uninstall()
    if release.values["database"]["mode"] == "cnpg":
        row.hold(cnpg.CLUSTER in said, f"{name}: helm uninstall does not say that the Cluster stays")
    await bench.kubectl("wait", "--for=delete", "pod", "--selector", PODS, "--timeout=1m")
    found: set[str] = set()

    async def settled() -> bool:
        nonlocal found
        found = await _objects(bench) - before
        return all(any(re.fullmatch(pattern, each) for pattern in left) for each in found)

    try:
        await bench.until(settled, "nothing else left", 60)
    except TimeoutError:
        row.hold(False, f"{name}: left {', '.join(sorted(found))}")
    for pattern in left:
        row.hold(any(re.fullmatch(pattern, each) for each in found), f"{name}: {pattern} is gone")
    # Delete the remaining objects as chart/README.md describes, including those that are kept on purpose.
    await bench.kubectl("delete", "job,pod", "--selector", f"app.kubernetes.io/instance={NAME}")
    if more := await _objects(bench) - before:
        await bench.kubectl("delete", *more)
    return f"ready after {seconds:.0f} s, helm test: {tested}; {len(found)} objects left"


async def _objects(bench: Bench) -> set[str]:
    """Return all objects in the namespace, as kind/name."""
    kinds = (await bench.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name")).split()
    names = await bench.kubectl("get", ",".join(kinds), "--output=name")
    return {name for name in names.split() if not _UNCOUNTED.fullmatch(name)}


SCENARIOS: dict[str, Scenario] = {
    "install.external": external,
    "install.evaluation": bundled,
    "install.cnpg": cloudnative_pg,
}
