"""`python -m benchmarks` runs what QUICK, TARGET and ONLY select, saves the results, and writes the report."""

import asyncio
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Final

from benchmarks import article, cluster, machine, matrix, postgres, report, tails
from benchmarks.baking import OUTPUT, bake_service
from benchmarks.bench import opened
from benchmarks.keeping import Keep, continued
from benchmarks.limits import are_possible
from benchmarks.options import Options, Part
from benchmarks.results import Experiment, Results, Taken
from benchmarks.scale import ARTICLE, scaled
from harness.load_generator import compiled
from harness.repository import REPOSITORY, commit

FILE: Final = OUTPUT / "results.json"
_PARTS: Final[dict[Part, ModuleType]] = {"article": article, "matrix": matrix, "tails": tails}


async def main() -> None:
    """Run the benchmark, and write the report.

    Raises:
        SystemExit: too few rounds are good, so nothing is published.
    """
    options = Options.from_environment()
    compiled()  # fails early if it cannot be compiled
    results = await (_on_a_cluster(options) if options.target == "cluster" else _here(options))
    report.publish(results)


async def _here(options: Options) -> Results:
    """Run the parts one after another on this machine.

    Raises:
        SystemExit: this user cannot enforce the limits of the article's deployments.
    """
    if "article" in options.only and not are_possible():
        sys.exit("The article's deployments have limits, which take root. Without it: make bench ONLY='matrix tails'")
    service, python = bake_service()
    async with opened(service, python) as bench:
        settings = ", ".join(f"{name} {value}" for name, value in postgres.OPTIONS.items())
        about = machine.machine(bench.cores, bench.disk) | {"database_settings": settings}
        fresh = _results(options, options.only, python, len(bench.cores.server), about)
        results = continued(fresh, FILE)
        keep = Keep(results, FILE)
        for part in options.only:
            await _PARTS[part].run(options, bench, keep)
            keep.save()
    return results


async def _on_a_cluster(options: Options) -> Results:
    """Run the article's matrix on the cluster. A cluster changes nothing about the other parts."""
    cores = await cluster.server_cores()
    service, python = bake_service()
    about = machine.machine(machine.cores(), OUTPUT) | {"cluster": await cluster.description()}
    results = continued(_results(options, ["cluster"], python, cores, about), FILE)
    keep = Keep(results, FILE)
    await cluster.run(options, service, cores, OUTPUT / "logs", keep)
    return keep.results


def _results(
    options: Options, experiments: Collection[Experiment], python: Path, cores: float, about: Mapping[str, str]
) -> Results:
    taken = Taken(datetime.now(UTC).isoformat(timespec="seconds"), commit())
    article = replace(taken, deployments={name: scaled(each, cores) for name, each in ARTICLE.items()})
    of = {each: article if each in {"article", "cluster"} else taken for each in experiments}
    return Results(of, options.quick, about, machine.versions(python))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(f"Interrupted; the rounds that were done are in {FILE.relative_to(REPOSITORY)}.")
