"""`python -m benchmarks` runs what QUICK, TARGET and ONLY select, saves the results, and writes the report."""

import asyncio
import sys
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Final

from benchmarks import article, cluster, comparison, machine, open_loop, postgres, report, summary
from benchmarks.baking import OUTPUT, bake_service
from benchmarks.bench import opened
from benchmarks.keeping import Keep, continued
from benchmarks.limits import are_possible
from benchmarks.options import Options, Part
from benchmarks.results import Experiment, Results, Taken
from benchmarks.scale import ARTICLE, in_words, scaled
from harness import load_generators
from harness.repository import REPOSITORY, commit

FILE: Final = OUTPUT / "results.json"
_PARTS: Final[dict[Part, ModuleType]] = {"article": article, "open-loop": open_loop, "comparison": comparison}


async def main() -> None:
    """Run the benchmark, print a summary, and write the report."""
    options = Options.from_environment()
    load_generators.versions()  # builds the load generators, if necessary
    results = await (_on_a_cluster(options) if options.target == "cluster" else _here(options))
    summary.show(results)
    report.write(results, OUTPUT / "docs" if options.quick else report.DOCS)


async def _here(options: Options) -> Results:
    """Run the parts one after another on this machine."""
    service, python = bake_service()
    async with opened(service, python) as bench:
        settings = ", ".join(f"{name} {value}" for name, value in postgres.OPTIONS.items())
        about = machine.machine(bench.cores, bench.disk) | {"database_settings": settings}
        fresh = _results(options, options.only, python, len(bench.cores.server), about, enforced=are_possible())
        results = continued(fresh, FILE)
        with Keep(results, FILE, sum(_PARTS[part].seconds(options) for part in options.only)) as keep:
            _introduce(results, keep)
            for part in options.only:
                await _PARTS[part].run(options, bench, keep)
                keep.save()
    return results


async def _on_a_cluster(options: Options) -> Results:
    """Run the article's matrix on the cluster. A cluster changes nothing about the other parts."""
    cores = await cluster.server_cores()
    service, python = bake_service()
    about = machine.machine(machine.cores(), OUTPUT) | {"cluster": await cluster.description()}
    results = continued(_results(options, ["cluster"], python, cores, about, enforced=True), FILE)
    with Keep(results, FILE, cluster.seconds(options)) as keep:
        _introduce(results, keep)
        await cluster.run(options, service, cores, OUTPUT / "logs", keep)
        return keep.results


def _results(
    options: Options,
    experiments: Collection[Experiment],
    python: Path,
    cores: int,
    about: Mapping[str, str],
    *,
    enforced: bool,
) -> Results:
    taken = Taken(datetime.now(UTC).isoformat(timespec="seconds"), commit())
    here = {name: scaled(each, cores) for name, each in ARTICLE.items()}
    return Results(
        taken=dict.fromkeys(experiments, taken),
        quick=options.quick,
        machine=about,
        versions=machine.versions(python) | load_generators.versions(),
        scale=in_words(cores, enforced=enforced),
        limits={name: (each.cpu, each.memory_mib) for name, each in here.items()},
    )


def _introduce(results: Results, keep: Keep) -> None:
    for name, value in {**results.machine, **results.versions}.items():
        keep.say(f"{name}: {value}")
    for experiment, taken in results.taken.items():
        keep.say(f"{experiment}: commit {taken.commit}, begun at {taken.at}")
    keep.say(f"Scale: {results.scale}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(f"Interrupted; the rounds that were done are in {FILE.relative_to(REPOSITORY)}.")
