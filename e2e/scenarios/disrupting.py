"""Loss of pods: by a node drain, an eviction, a kill, and a lack of memory."""

import json
import time
from collections.abc import Awaitable, Callable

from e2e.scenario import Scenario
from e2e.traffic import judge, load, traffic
from harness.cluster.bench import Bench, Object
from harness.cluster.release import Release, deploy
from harness.commands import CommandError
from harness.row import Row

_REPLICAS = 2
_DRAIN_SECONDS = 20
# Allocates memory that counts against the container but belongs to no process. The OOM killer therefore ends the
# largest process: process 1, which is the service.
_FILL = "import os; file = os.memfd_create('fill'); [os.write(file, bytes(1 << 20)) for _ in range(1 << 10)]"


async def drain(bench: Bench) -> Row:
    """Drains the node of a pod."""
    clients = bench.count(100, 50)
    release, _ = await deploy(bench, {"podLabels": {"drained": bench.name}})  # selects this release's pods
    node = (await release.ready_pods())[0]["spec"]["nodeName"]
    alone = len(await bench.objects("nodes")) == 1
    row = Row(
        "a node drained" + (", the cluster's only one: one pod goes and has nowhere to come back to" if alone else ""),
        load(clients),
        promise="a pod goes, the PodDisruptionBudget keeps the other; no failed request; all ready after uncordon",
    )
    async with traffic(bench, clients) as record:
        bench.status = "draining"
        bench.started.push_async_callback(bench.kubectl, "uncordon", node)
        try:
            how = ("--delete-emptydir-data", f"--timeout={_DRAIN_SECONDS if alone else 120}s")
            await bench.kubectl("drain", node, "--pod-selector", f"drained={bench.name}", *how)
            row.hold(not alone, "the only node was drained whole")
        except CommandError as error:
            refused = "disruption budget" in str(error)
            row.hold(alone and refused, f"the drain failed: {error}")
        ready = len(await release.ready_pods())
        row.hold(ready >= _REPLICAS - 1, f"{ready} pods are ready after the drain")
        bench.status = "uncordoned"
        begun = time.monotonic()
        await bench.kubectl("uncordon", node)
        await bench.until(lambda: _are_back(release, []), "all pods ready again")
        row.recovery_seconds = time.monotonic() - begun
        await release.until_settled()
    judge(row, record)
    return row


async def evicted(bench: Bench) -> Row:
    """Evicts a pod, as a drain or the kubelet's pressure does."""

    async def evict(pod: str) -> None:
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
        path = f"/api/v1/namespaces/{bench.namespace}/pods/{pod}/eviction"
        await bench.kubectl("create", "--raw", path, "--filename=-", given=eviction)

    return await _lost(bench, "a pod evicted", evict, may_fail=False)


async def killed(bench: Bench) -> Row:
    """Takes a pod away without any grace."""

    async def kill(pod: str) -> None:
        await bench.kubectl("delete", "pod", pod, "--grace-period=0", "--force")

    return await _lost(bench, "a pod killed: deleted with no grace period", kill, may_fail=True)


async def _lost(bench: Bench, what: str, lose: Callable[[str], Awaitable[None]], *, may_fail: bool) -> Row:
    """Remove one of the pods under load, and wait for its replacement."""
    clients = bench.count(100, 50)
    release, _ = await deploy(bench)
    row = Row(what, load(clients), promise="ready again" if may_fail else "ready again; no failed request")
    before = await release.ready_pods()
    async with traffic(bench, clients) as record:
        bench.status = what
        begun = time.monotonic()
        await lose(before[0]["metadata"]["name"])
        await bench.until(lambda: _are_back(release, before[:1]), "all pods ready again")
        row.recovery_seconds = time.monotonic() - begun
        await release.until_settled()
    judge(row, record, may_fail=may_fail)
    return row


async def out_of_memory(bench: Bench) -> Row:
    """Has the kernel end a service's process."""
    clients = bench.count(100, 50)
    release, _ = await deploy(bench)
    row = Row("a pod out of memory", load(clients), promise="OOMKilled; started again in its place; ready again")
    victim = (await release.ready_pods())[0]["metadata"]["name"]

    async def is_back() -> bool:
        pod = json.loads(await bench.kubectl("get", f"pod/{victim}", "--output=json"))
        [container] = pod["status"]["containerStatuses"]
        ended = container["lastState"].get("terminated", {}).get("reason")
        return ended == "OOMKilled" and len(await release.ready_pods()) == _REPLICAS

    async with traffic(bench, clients) as record:
        bench.status = "filling the memory"
        begun = time.monotonic()
        try:
            await bench.kubectl("exec", victim, "--", "python", "-c", _FILL)
            row.hold(False, "1 GiB fitted into the memory limit")
        except CommandError:  # the command ends together with the container
            pass
        await bench.until(is_back, "the pod ready again after OOMKilled")
        row.recovery_seconds = time.monotonic() - begun
        await release.until_settled()
    judge(row, record, may_fail=True)
    return row


async def _are_back(release: Release, gone: list[Object]) -> bool:
    """Return whether all pods are ready and the removed pods are gone."""
    names = {pod["metadata"]["name"] for pod in await release.ready_pods()}
    return len(names) == _REPLICAS and not names & {pod["metadata"]["name"] for pod in gone}


SCENARIOS: dict[str, Scenario] = {
    "disrupt.drain": drain,
    "disrupt.evicted": evicted,
    "disrupt.killed": killed,
    "disrupt.out-of-memory": out_of_memory,
}
