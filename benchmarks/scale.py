"""The article's deployments, and their scaling to the cores of a machine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.limits import Limit

_CONNECTIONS, _LEAST_CONNECTIONS = 200, 20


@dataclass(frozen=True)
class Deployment:
    """A deployment: the number of its pods, and the CPU and memory of all pods together.

    Attributes:
        cpu: number of cores.
        workers: number of processes per pod that answer requests.
    """

    pods: int
    cpu: float
    memory_mib: float
    workers: int

    @property
    def limit(self) -> Limit:
        """The limit of one pod."""
        return Limit(self.cpu / self.pods, self.memory_mib / self.pods)


_BARE = Deployment(pods=10, cpu=7, memory_mib=5 * 1024, workers=1)
ARTICLE: Final[Mapping[str, Deployment]] = {
    "bare": _BARE,
    "gunicorn-1": _BARE,
    "gunicorn-11": Deployment(pods=2, cpu=10, memory_mib=6 * 1024, workers=11),
    "gunicorn-1-max-requests": _BARE,
}
_CORES = max(each.cpu for each in ARTICLE.values())


def share(server_cores: float) -> float:
    """Return the share of the article's CPU that this machine has, at most 1."""
    return min(1, server_cores / _CORES)


def connections(server_cores: float) -> int:
    """Scale the article's 200 connections by the share of CPU, to as many at least as use up a share of a core."""
    return max(_LEAST_CONNECTIONS, round(_CONNECTIONS * share(server_cores)))


def scaled(deployment: Deployment, server_cores: float) -> Deployment:
    """Scale the CPU and the number of pods of a deployment. The memory and the workers of a pod do not change."""
    part = share(server_cores)
    pods = max(1, round(deployment.pods * part))
    return replace(
        deployment, pods=pods, cpu=deployment.cpu * part, memory_mib=deployment.memory_mib / deployment.pods * pods
    )


def in_words(server_cores: float, *, enforced: bool) -> str:
    """Describe the scaling and its effects."""
    lines = [
        f"{share(server_cores):g} of the article's CPU, as {server_cores:g} of {_CORES:g} cores are there to serve"
    ]
    for then in dict.fromkeys(ARTICLE.values()):
        names = ", ".join(name for name, each in ARTICLE.items() if each == then)
        now = scaled(then, server_cores)
        here, there = _what(now, connections(server_cores)), _what(then, _CONNECTIONS)
        lines.append(f"{names}: {here}; in the article {there}")
    lines.append(f"{connections(server_cores)} connections where the article had {_CONNECTIONS}")
    lines.append("The kernel enforces the limits" if enforced else "The limits are not enforced, which takes root")
    return ". ".join(lines)


def _what(one: Deployment, connections: int) -> str:
    pods = "1 pod" if one.pods == 1 else f"{one.pods} pods"
    density = f"{one.pods * one.workers / one.cpu:.2g} processes a CPU and {connections / one.pods:g} connections a pod"
    return f"{pods} with {one.cpu:g} CPU and {one.memory_mib:g} MiB in all, {density}"
