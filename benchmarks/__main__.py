"""`python -m benchmarks`: measures what QUICK, TARGET and ONLY say, keeps the results, and writes the report."""

import asyncio
from datetime import UTC, datetime
from types import ModuleType
from typing import Final

from benchmarks import article, comparison, machine, open_loop, postgres, report, summary, tools
from benchmarks.baking import OUTPUT, bake_service
from benchmarks.bench import Bench, opened
from benchmarks.keeping import Keep
from benchmarks.limits import are_possible
from benchmarks.options import Options, Part
from benchmarks.results import Results
from benchmarks.scale import ARTICLE, in_words, scaled
from faults.report import REPOSITORY

FILE: Final = OUTPUT / "results.json"
_PARTS: Final[dict[Part, ModuleType]] = {"article": article, "open-loop": open_loop, "comparison": comparison}


async def main() -> None:
    """Runs the parts one after the other."""
    options = Options.from_environment()
    versions = tools.versions()
    service, python = bake_service()
    async with opened(service, python) as bench:
        results = _results(options, bench, versions)
        with Keep(results, FILE, sum(_PARTS[part].seconds(options) for part in options.only)) as keep:
            for line in _head(results):
                keep.say(line)
            for part in options.only:
                await _PARTS[part].run(options, bench, keep)
                keep.save()
    summary.show(results)
    report.write(results, OUTPUT / "docs" if options.quick else REPOSITORY / "docs")


def _results(options: Options, bench: Bench, versions: dict[str, str]) -> Results:
    """New ones, or earlier ones of the same commit, without those that are measured anew."""
    cores = len(bench.cores.server)
    here = {name: scaled(each, cores) for name, each in ARTICLE.items()}
    results = Results(
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=machine.commit(),
        quick=options.quick,
        machine=machine.machine(bench.cores, bench.disk),
        versions=machine.versions(bench.python) | versions,
        scale=in_words(cores, enforced=are_possible()),
        limits={name: (each.cpu, each.memory_mib) for name, each in here.items()},
    )
    if FILE.exists():
        earlier = Results.load(FILE)
        if (earlier.commit, earlier.quick) == (results.commit, results.quick):
            results.samples.extend(each for each in earlier.samples if each.experiment not in options.only)
            results.starts.extend([] if "comparison" in options.only else earlier.starts)
        else:
            FILE.rename(FILE.with_name(f"results-{earlier.commit}{'-quick' if earlier.quick else ''}.json"))
    return results


def _head(results: Results) -> list[str]:
    about = {**results.machine, "commit": results.commit, **results.versions}
    settings = ", ".join(f"{name}={value}" for name, value in postgres.OPTIONS.items())
    return [
        *(f"{name}: {value}" for name, value in about.items()),
        f"PostgreSQL's settings: {settings}",
        f"Scale: {results.scale}",
    ]


if __name__ == "__main__":
    asyncio.run(main())
