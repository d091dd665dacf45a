"""Computes how many pods, how much CPU and memory, and how many database connections a load needs.

`python -m benchmarks.sizing --gets 2000 --posts 100 --puts 50 --pages 20` computes the sizes from
docs/benchmarks/results.json, by the rules in docs/benchmarks/sizing.md.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from pathlib import Path
from typing import TypeAlias

from benchmarks import judge
from benchmarks.measurement import NAMES, Measurement, loads, measurement
from benchmarks.results import Experiment, Operation, Results, load_in_words
from benchmarks.statistics import percent
from harness.repository import REPOSITORY

RESULTS = REPOSITORY / "docs" / "benchmarks" / "results.json"
SERVICE = "service"
PLANNED: tuple[Operation, ...] = ("get", "post", "put", "page")
CLOSED_CONNECTIONS = 64
CPU_SHARE = 0.7
LEAST_PODS = 2
LEAST_MILLICORES = 100
MILLICORES_STEP = 10
MEMORY_STEP_MIB = 32
BODIES_MIB = 100
"""The chart's `config.maxInFlight` × `config.maxBodyBytes`."""

POOL_SIZE = 3
STREAM_POOL_SIZE = 1
POD_CONNECTIONS = POOL_SIZE + STREAM_POOL_SIZE
RESERVE = 10
MAX_CONNECTIONS = 100
"""The chart's `database.reserveConnections` and `database.maxConnections`."""

TABLE = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
"""The rates in the table of the docs, in requests/s."""

Rates: TypeAlias = Mapping[Operation, float]
"""Requests/s for each operation."""


@dataclass(frozen=True)
class Costs:
    """CPU per request in µs, of the service and of PostgreSQL, and the most memory of a process under load, in MiB."""

    cpu_us: Mapping[Operation, float]
    database_cpu_us: Mapping[Operation, float]
    memory_mib: float

    @property
    def memory_request_mib(self) -> int:
        return _up(self.memory_mib, MEMORY_STEP_MIB)

    @property
    def memory_limit_mib(self) -> int:
        return int(2 ** ceil(log2(self.memory_mib + BODIES_MIB)))


@dataclass(frozen=True)
class Plan:
    """The pods that a load needs, the CPU request of each, and what all of them take."""

    pods: int
    service_cores: float
    cpu_millicores: int
    connections: int
    database_cores: float


def costs(results: Results) -> Costs | None:
    """Return the measured costs of the service, or None if the matrix is not in the results."""
    found: dict[Operation, list[Measurement]] = {}
    for operation in PLANNED:
        closed = measurement(results, "matrix", SERVICE, operation, load_in_words(CLOSED_CONNECTIONS))
        if each := [*filter(None, (closed, measurement(results, "tails", SERVICE, operation)))]:
            found[operation] = each
    memory = [each.loaded_mib for each in results.footprints if each.subject == SERVICE]
    if not found or not memory:
        return None
    return Costs(
        {each: max(one.cpu_us.middle for one in of) for each, of in found.items()},
        {each: max(one.database_cpu_us.middle for one in of) for each, of in found.items()},
        max(memory),
    )


def plan(costs: Costs, rates: Rates) -> Plan:
    """Compute a plan.

    Raises:
        KeyError: the load has an operation that was not measured.
    """
    cores = sum(rate * costs.cpu_us[each] for each, rate in rates.items()) / 1e6
    pods = max(LEAST_PODS, ceil(round(cores / CPU_SHARE, 9)))
    millicores = max(LEAST_MILLICORES, _up(1000 * cores / pods / CPU_SHARE, MILLICORES_STEP))
    database_cores = sum(rate * costs.database_cpu_us[each] for each, rate in rates.items()) / 1e6
    return Plan(pods, cores, millicores, connections(pods), database_cores)


def connections(pods: int) -> int:
    return pods * POD_CONNECTIONS * 2 + RESERVE


def _up(value: float, step: int) -> int:
    return ceil(round(value / step, 9)) * step


def bottlenecks(plan: Plan, rates: Rates, database_cores: float) -> list[str]:
    """List what runs out, and at which rate, if this load grows with the same mix; the lowest rate is first."""
    pods = (MAX_CONNECTIONS - RESERVE) // (2 * POD_CONNECTIONS)
    cores = f"{percent(CPU_SHARE)} of {database_cores:g} cores"
    connections = (
        f"{MAX_CONNECTIONS} connections are enough for {pods} pods only; raise max_connections or add PgBouncer"
    )
    whole = sum(rates.values())
    ends = {connections: whole * pods * CPU_SHARE / plan.service_cores}
    if plan.database_cores:
        ends[f"PostgreSQL's CPU reaches {cores}"] = whole * CPU_SHARE * database_cores / plan.database_cores
    return [
        f"from {rounded_down(rate):,} requests/s on: {what}"
        for what, rate in sorted(ends.items(), key=lambda each: each[1])
    ]


def rounded_down(value: float) -> int:
    """Round down to two digits, so that the figure does not look more exact than it is."""
    whole = int(round(value, 6))
    unit = int(10.0 ** max(0, len(str(whole)) - 2))
    return whole // unit * unit


def measured_to(results: Results) -> float:
    """Return the highest measured rate of GETs of the service with one process, in requests/s."""
    experiments: tuple[Experiment, ...] = ("matrix", "tails")
    asked = [(experiment, load) for experiment in experiments for load in loads(results, experiment)]
    found = [measurement(results, experiment, SERVICE, "get", load) for experiment, load in asked]
    return max((one.per_second.middle for one in found if one), default=0)


def basis(results: Results, rates: Rates) -> str:
    """Tell if a load was measured: it has only GETs, at no more than the highest measured rate."""
    return "measured" if rates.keys() == {"get"} and rates["get"] <= measured_to(results) else "arithmetic"


COLUMNS = (
    "requests/s", "basis", "pods", "CPU request per pod", "memory request, limit per pod", "service CPU, cores",
    "PostgreSQL CPU, cores", "connections",
)  # fmt: skip


def cells(results: Results, costs: Costs, rates: Rates) -> tuple[str, ...]:
    """Return a plan as text, by `COLUMNS`."""
    made = plan(costs, rates)
    return (
        f"{sum(rates.values()):,.0f}",
        basis(results, rates),
        str(made.pods),
        f"{made.cpu_millicores}m",
        f"{costs.memory_request_mib}Mi, {costs.memory_limit_mib}Mi",
        f"{made.service_cores:.2f}",
        f"{made.database_cores:.2f}",
        str(made.connections) + f" of {MAX_CONNECTIONS}" * (made.connections > MAX_CONNECTIONS),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sizing", description="Sizes a deployment of the service."
    )
    for each in PLANNED:
        parser.add_argument(
            f"--{each}s", type=float, default=0, metavar="RATE", help=f"{NAMES[each]}, requests a second"
        )
    parser.add_argument("--database-cores", type=float, default=4, metavar="CORES", help="of PostgreSQL's machine; 4")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="FILE", help="docs/benchmarks/results.json")
    told = parser.parse_args()
    rates: Rates = {each: rate for each in PLANNED if (rate := getattr(told, f"{each}s"))}
    if not rates or min(rates.values()) < 0 or told.database_cores <= 0:
        parser.error("name at least one rate above 0, and none below it")
    if not told.results.exists():
        sys.exit(f"{told.results} is not there: `make bench` makes one, or name another by --results")
    results = judge.good(Results.load(told.results))
    found = costs(results)
    if not found or not rates.keys() <= found.cpu_us.keys():
        sys.exit(f"{told.results} has no matrix with these operations: run `make bench ONLY=matrix`")
    bottleneck = bottlenecks(plan(found, rates), rates, told.database_cores)[0]
    for name, value in zip((*COLUMNS, "next bottleneck"), (*cells(results, found, rates), bottleneck), strict=True):
        print(f"{name:30}{value}")
    if results.quick:
        print("These results are from a quick run: do not quote them.")


if __name__ == "__main__":
    main()
