"""`python -m benchmarks.profiles` writes chart/profiles/{small,medium,large}.yaml from the results.

Pods and CPU requests are chosen here; the load, the pools and the memory follow by `benchmarks.sizing`.
"""

import sys
from dataclasses import dataclass
from textwrap import fill

from benchmarks import judge, sizing
from benchmarks.results import Results
from benchmarks.statistics import percent
from harness.repository import REPOSITORY

FOLDER = REPOSITORY / "chart" / "profiles"


@dataclass(frozen=True)
class Profile:
    """A size: the minimum and maximum number of pods, and the CPU request of each pod."""

    least: int
    most: int
    millicores: int


_MOST = "is the most that a process took in the benchmark"
PROFILES = {"small": Profile(2, 2, 100), "medium": Profile(2, 6, 250), "large": Profile(3, 11, 1000)}


def texts(results: Results) -> dict[str, str]:
    """Return the contents of the files by name, by the good rounds of the results.

    Raises:
        ValueError: the results are of a quick run, or lack the matrix.
    """
    kept = judge.good(results)
    found = sizing.costs(kept)
    if results.quick or not found:
        raise ValueError("profiles follow from a whole run with the matrix in it")
    return {name: _text(profile, found, sizing.measured_to(kept)) for name, profile in PROFILES.items()}


def _text(profile: Profile, costs: sizing.Costs, measured: float) -> str:
    bodies = f"config.maxInFlight × config.maxBodyBytes = {sizing.BODIES_MIB} MiB"
    a_pod = f"({sizing.POOL_SIZE} + {sizing.STREAM_POOL_SIZE})"
    used = sizing.connections(profile.most)
    carried = f"2 × {profile.most} pods × {a_pod} connections + {sizing.RESERVE} in reserve = {used}"
    told = _carries(profile, round(costs.cpu_us["get"]), measured)
    return f"""{fill(told, 120, initial_indent="# ", subsequent_indent="# ", break_long_words=False)}
{_pods(profile)}
config:
  # {carried} of {sizing.MAX_CONNECTIONS}.
  databasePoolSize: {sizing.POOL_SIZE}
  databaseStreamPoolSize: {sizing.STREAM_POOL_SIZE}

resources:
  requests:
    cpu: {profile.millicores}m
    memory: {costs.memory_request_mib}Mi # {costs.memory_mib:.0f} MiB {_MOST}
  limits:
    memory: {costs.memory_limit_mib}Mi # that, and {bodies} of bodies, with their parts
"""


def _carries(profile: Profile, cost_us: int, measured: float) -> str:
    a_pod = int(profile.millicores * 1000 * sizing.CPU_SHARE / cost_us)
    least, most = (sizing.rounded_down(pods * a_pod) for pods in (profile.least, profile.most))
    grows = profile.least < profile.most
    rates = f"{least:,} to {most:,} GETs/s: {profile.least} to" if grows else f"up to {most:,} GETs/s:"
    planned = f"the {percent(sizing.CPU_SHARE)} of {profile.millicores}m {'at which pods are added' * grows}".rstrip()
    sure = f"arithmetic, as {sizing.rounded_down(measured):,} GETs/s were" if most > measured else "within what was"
    return (
        f"For {rates} {profile.most} pods. By docs/benchmarks.md a GET takes {cost_us} µs of CPU, so {planned} carry "
        f"{a_pod:,} GETs/s a pod; this is {sure} measured. Without a CPU limit, a peak takes what is left."
    )


def _pods(profile: Profile) -> str:
    if profile.least == profile.most:
        return f"replicas: {profile.most}\n\nautoscaling:\n  enabled: false\n"
    return (
        f"autoscaling:\n  enabled: true\n  minReplicas: {profile.least}\n  maxReplicas: {profile.most}\n"
        f"  targetCPUUtilizationPercentage: {100 * sizing.CPU_SHARE:.0f}\n"
    )


def main() -> None:
    if not sizing.RESULTS.exists():
        sys.exit(f"{sizing.RESULTS} is not there: `make bench` makes it")
    for name, text in texts(Results.load(sizing.RESULTS)).items():
        (FOLDER / f"{name}.yaml").write_text(text, encoding="utf-8")
        print(f"wrote chart/profiles/{name}.yaml")


if __name__ == "__main__":
    main()
