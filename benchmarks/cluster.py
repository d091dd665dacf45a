"""Runs the article's matrix on the cluster of KUBECONFIG: with the chart, its `article-*` profiles, and the Ingress.

The deployment with `max_requests` is left out, because the chart does not offer it. Memory is the containers' working
set, which Kubernetes compares with their limits. There is no control: nothing is pinned to cores on a cluster.
"""

import asyncio
import json
import re
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.article import OPERATIONS
from benchmarks.keeping import Keep
from benchmarks.load import requests
from benchmarks.options import Options
from benchmarks.postgres import RESET
from benchmarks.results import Operation, Sample
from benchmarks.rounds import in_turn
from benchmarks.scale import ARTICLE, Deployment, connections, scaled
from harness.cluster.bench import Bench, remove_namespaces
from harness.cluster.database import Postgres
from harness.cluster.images import build_and_load, unchanged
from harness.cluster.options import Options as ClusterOptions
from harness.cluster.options import require_cluster
from harness.cluster.release import Release, deploy
from harness.commands import run_command
from harness.console import say
from harness.helm import fetch_helm
from harness.load_generator import Outcome, send
from harness.repository import REPOSITORY, TOOLS
from harness.values import Values, merge

SUBJECTS: Final = ("bare", "gunicorn-1", "gunicorn-11")

_LOAD_SECONDS, _WARM_UP_SECONDS = 15.0, 1.0
_IMAGE = "1"
# Reads control groups of version 2 or 1, which report CPU time in µs and ns.
_USE = """
cd /sys/fs/cgroup
if [ -e cpu.stat ] && [ -e memory.current ]; then
  echo "$(sed -n 's/^usage_usec //p' cpu.stat) 1000000 $(cat memory.current)" \
    "$(sed -n 's/^inactive_file //p' memory.stat)"
else
  echo "$(cat cpuacct/cpuacct.usage) 1000000000 $(cat memory/memory.usage_in_bytes)" \
    "$(sed -n 's/^total_inactive_file //p' memory/memory.stat)"
fi
"""


@dataclass(frozen=True)
class Deployed:
    """A deployment that is ready, and the number of connections that load it."""

    name: str
    connections: int
    bench: Bench
    release: Release
    database: Postgres

    async def reset(self) -> None:
        """Restore the items to their state before a load."""
        for statement in RESET:
            await self.database.query(statement)


async def server_cores() -> float:
    """Return the cores for the pods: so few of the cluster's that their limits bind, and not the nodes' cores.

    The rest is for Kubernetes, the Ingress controller, PostgreSQL and, on one machine, the load.

    Raises:
        SystemExit: there is no cluster.
    """
    require_cluster("make bench TARGET=cluster")
    fetch_helm()
    return sum(_cores(node["allocatable"]["cpu"]) for node in await _nodes()) / 5


async def description() -> str:
    """Describe the cluster: its nodes, with their versions and CPUs."""
    nodes = await _nodes()
    each = [f"{one['nodeInfo']['kubeletVersion']}, {one['allocatable']['cpu']} CPU" for one in nodes]
    return f"{len(nodes)} node{'s'[: len(nodes) - 1]}: {'; '.join(each)}; nothing is pinned to cores"


async def run(options: Options, service: Path, cores: float, logs: Path, keep: Keep) -> None:
    """Install all deployments, then measure them in interleaved rounds."""
    seconds = options.count(_LOAD_SECONDS, 1)
    async with AsyncExitStack() as started:
        settings = ClusterOptions.from_environment()
        say("Building the image, and loading it …")
        await build_and_load(settings, service, {_IMAGE: unchanged})
        await remove_namespaces()
        running = []
        for name in SUBJECTS:
            say(f"Installing {name} …")
            bench = Bench(f"benchmark-{name}", settings, service, logs=logs / name, quick=options.quick)
            bench.logs.mkdir(parents=True, exist_ok=True)
            await started.enter_async_context(bench.started)
            await bench.make_namespace()
            release, database = await deploy(bench, values(name, scaled(ARTICLE[name], cores)))
            running.append(Deployed(name, connections(cores), bench, release, database))
            await running[-1].reset()
        keep.describe(cluster_image=await _image(running[0]))
        for number in keep.rounds("cluster", options.rounds):
            for operation in OPERATIONS:
                for each in in_turn(running, number):
                    say(f"{each.name}, {operation.upper()}, round {number} of {options.rounds}")
                    keep.results.samples.append(await _sample(each, operation, number, seconds))


def values(name: str, here: Deployment) -> Values:
    """Return the article's profile with the limits of this cluster, and requests that fit a small cluster."""
    file = REPOSITORY / "chart" / "profiles" / f"article-{name}.yaml"
    profile: Values = yaml.safe_load(file.read_text(encoding="utf-8"))
    limit = here.limit
    resources = {
        "requests": {"cpu": "50m", "memory": "64Mi"},
        "limits": {"cpu": f"{limit.cpu * 1000:.0f}m", "memory": f"{limit.memory_mib:.0f}Mi"},
    }
    return merge(profile, {"replicas": here.pods, "resources": resources})


async def _image(deployed: Deployed) -> str:
    """Describe Python and libc of the image, which differ from those of the local runs."""
    [pod, *_] = await deployed.release.ready_pods()
    program = (
        "import platform; print(platform.python_implementation(), platform.python_version(), *platform.libc_ver())"
    )
    told = await deployed.bench.kubectl("exec", str(pod["metadata"]["name"]), "--", "python", "-c", program)
    return told.strip()


async def _sample(deployed: Deployed, operation: Operation, number: int, seconds: float) -> Sample:
    await deployed.reset()
    pods = [str(pod["metadata"]["name"]) for pod in await deployed.release.ready_pods()]
    await _load(deployed, operation, _WARM_UP_SECONDS)
    server, database = await _used(deployed.bench, pods), await _used(deployed.bench, [deployed.database.name])
    outcome = await _load(deployed, operation, seconds)
    server_after = await _used(deployed.bench, pods)
    database_after = await _used(deployed.bench, [deployed.database.name])
    return Sample(
        experiment="cluster", subject=deployed.name, operation=operation, round=number,
        connections=deployed.connections, peak_share=None, rate=None, seconds=outcome.seconds,
        failures=dict(outcome.failures), cpu_seconds=server_after[0] - server[0],
        database_cpu_seconds=database_after[0] - database[0], memory_mib=server_after[1],
        histogram=dict(outcome.histogram),
    )  # fmt: skip


async def _load(deployed: Deployed, operation: Operation, seconds: float) -> Outcome:
    asked = requests(operation, deployed.bench.host)
    port = deployed.bench.options.ingress_port
    return await send(asked, [port], connections=deployed.connections, seconds=seconds)


async def _used(bench: Bench, pods: Sequence[str]) -> tuple[float, float]:
    """Return the CPU seconds that the pods have used so far and their memory in MiB, as totals."""
    told = await asyncio.gather(*(bench.kubectl("exec", pod, "--", "sh", "-c", _USE) for pod in pods))
    figures = [[float(figure) for figure in line.split()] for line in told]
    cpu = sum(taken / unit for taken, unit, _, _ in figures)
    return cpu, sum(memory - inactive for _, _, memory, inactive in figures) / 2**20


async def _nodes() -> list[dict[str, Any]]:
    """Return the status of each node."""
    nodes = json.loads(await run_command(TOOLS / "kubectl", "get", "nodes", "--output=json"))["items"]
    return [node["status"] for node in nodes]


def _cores(quantity: str) -> int:
    """Return the whole cores of a Kubernetes quantity such as 4 or 3920m."""
    found = re.fullmatch(r"(\d+)(m?)", quantity)
    assert found
    return int(found[1]) // (1000 if found[2] else 1)
