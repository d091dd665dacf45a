"""The article's deployments, and their scaling to the cores of a machine."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.limits import Limit

CONNECTIONS: Final = 200
_LEAST_CONNECTIONS: Final = 20


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
    def density(self) -> float:
        """Processes for each core."""
        return self.pods * self.workers / self.cpu

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
    return max(_LEAST_CONNECTIONS, round(CONNECTIONS * share(server_cores)))


def scaled(deployment: Deployment, server_cores: float) -> Deployment:
    """Scale the CPU and the number of pods of a deployment. The memory and the workers of a pod do not change."""
    part = share(server_cores)
    pods = max(1, round(deployment.pods * part))
    return replace(
        deployment, pods=pods, cpu=deployment.cpu * part, memory_mib=deployment.memory_mib / deployment.pods * pods
    )
