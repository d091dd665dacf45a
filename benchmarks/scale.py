"""The article's deployments, and how they are scaled to a machine's cores."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from benchmarks.limits import Limit

URLS: Final = 20
"""hey asks for one, so that many of them share the connections out, lest a PUT measure one row's lock."""
_CONNECTIONS = 200


@dataclass(frozen=True)
class Deployment:
    """What all its pods may take together, and how many there are.

    Attributes:
        cpu: cores.
        workers: processes a pod that answer.
    """

    pods: int
    cpu: float
    memory_mib: float
    workers: int

    @property
    def limit(self) -> Limit:
        """A pod's."""
        return Limit(self.cpu / self.pods, self.memory_mib / self.pods)


_BARE = Deployment(pods=10, cpu=7, memory_mib=5 * 1024, workers=1)
ARTICLE: Final[Mapping[str, Deployment]] = {
    "bare": _BARE,
    "gunicorn-1": _BARE,
    "gunicorn-11": Deployment(pods=2, cpu=10, memory_mib=6 * 1024, workers=11),
    "gunicorn-1-max-requests": _BARE,
}
_CORES = max(each.cpu for each in ARTICLE.values())


def share(server_cores: int) -> float:
    """How much of the article's CPU there is here, at most all of it."""
    return min(1, server_cores / _CORES)


def connections(server_cores: int) -> int:
    """The article's 200, as many fewer as there is less CPU; the same for each process of hey."""
    return URLS * max(1, round(_CONNECTIONS * share(server_cores) / URLS))


def scaled(deployment: Deployment, server_cores: int) -> Deployment:
    """A deployment with so much less CPU and so many fewer pods; a pod's memory and workers stay as they are."""
    part = share(server_cores)
    pods = max(1, round(deployment.pods * part))
    return replace(
        deployment, pods=pods, cpu=deployment.cpu * part, memory_mib=deployment.memory_mib / deployment.pods * pods
    )


def in_words(server_cores: int, *, enforced: bool) -> str:
    """What is scaled, and what that changes."""
    lines = [f"{share(server_cores):g} of the article's CPU, as {server_cores} of {_CORES:g} cores are there to serve"]
    for then in dict.fromkeys(ARTICLE.values()):
        names = ", ".join(name for name, each in ARTICLE.items() if each == then)
        now = scaled(then, server_cores)
        here, there = _density(now, connections(server_cores)), _density(then, _CONNECTIONS)
        lines.append(f"{names}: {_what(now)}, {here}; in the article {_what(then)}, {there}")
    lines.append(
        f"{connections(server_cores)} connections where the article had {_CONNECTIONS}. A pod's workers are not fewer, "
        "so more processes share a core where there is less than a pod's worth of CPU"
        if share(server_cores) < 1
        else "So it is the article's own"
    )
    lines.append("The kernel enforces the limits" if enforced else "The limits are not enforced, which takes root")
    return ". ".join(lines)


def _what(one: Deployment) -> str:
    pods = "1 pod" if one.pods == 1 else f"{one.pods} pods"
    return f"{pods} with {one.cpu:g} CPU and {one.memory_mib:g} MiB in all"


def _density(one: Deployment, connections: int) -> str:
    return f"{one.pods * one.workers / one.cpu:.2g} processes a CPU and {connections / one.pods:g} connections a pod"
