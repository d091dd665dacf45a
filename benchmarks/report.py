"""Writes docs/benchmarks.md, the pages and pictures behind it, and the README's figures.

Run `python -m benchmarks.report build/bench/results.json`. A section says so if the results lack its experiment.
"""

import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from math import isinf
from pathlib import Path
from statistics import median

from benchmarks import details, goals, judge, readme, sizing
from benchmarks.claims import findings
from benchmarks.markdown import figure_cell, images, milliseconds_cell, multiple_cell, span_cell
from benchmarks.measurement import LEVEL_SHARE, LOADS_CORE, NAMES, SERVICES, loads, measured, tail
from benchmarks.results import Results
from benchmarks.statistics import METHOD, estimate, percent
from harness.markdown import table
from harness.repository import BUILD, REPOSITORY

DOCS, README = REPOSITORY / "docs", REPOSITORY / "README.md"
PREVIEW = BUILD / "bench" / "docs"
PICTURES = ("cpu-connections", "cpu", "latency")


def write(results: Results, folder: Path, *, trusted: bool = True) -> None:
    """Write the pages, their pictures and the results to a folder. If it is `DOCS`, the README is updated as well.

    Args:
        trusted: leave out the rounds that have to be thrown away; otherwise all rounds are shown.

    Raises:
        SystemExit: there is no Chrome or Chromium to draw the pictures.
    """
    from benchmarks import charts  # imported here, because writing text does not need Plotly

    behind = folder / "benchmarks"
    pictures = charts.stills(judge.good(results) if trusted else results, behind)
    for name, text in pages(results, pictures, trusted=trusted).items():
        (folder / name).write_text(text, encoding="utf-8")
    results.save(behind / "results.json")
    if folder == DOCS:
        for old in behind.glob("*.svg"):
            if old.stem not in pictures:
                old.unlink()
        README.write_text(readme.renewed(README.read_text(encoding="utf-8"), judge.good(results)), encoding="utf-8")


def pages(results: Results, pictures: Collection[str], *, trusted: bool = True) -> dict[str, str]:
    """Return the pages by their path in the folder, with the pictures that exist."""
    good = judge.good(results) if trusted else results
    return {
        "benchmarks.md": _page(results, good, pictures),
        "benchmarks/matrix.md": details.matrix(good),
        "benchmarks/article.md": details.article(good, pictures),
        "benchmarks/sizing.md": details.sizes(good),
    }


def _page(results: Results, good: Results, pictures: Collection[str]) -> str:
    parts = [
        "# Benchmarks",
        "",
        (
            "`make bench` measures and writes this page. Every figure comes from "
            "[benchmarks/results.json](benchmarks/results.json). Behind it: [all loads](benchmarks/matrix.md), "
            "[the 2019 article, measured again](benchmarks/article.md), [sizing](benchmarks/sizing.md)."
        ),
        "",
        *(["**Not to be quoted: a quick run, or one on a busy machine.**", ""] if results.quick else []),
        *readme.reservation(results),
        *_goals(good),
        *images(pictures, PICTURES, "benchmarks/"),
        *_what_follows(good),
        *_measured(results),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _goals(results: Results) -> list[str]:
    shown = loads(results, "matrix")
    rows = [(NAMES[each], *(goals.cell(results, each, load).told for load in shown)) for each in goals.OPERATIONS]
    others = [
        (
            each.what,
            "–" if each.at_most is None else f"≤ {figure_cell(each.at_most)} {each.unit}",
            "–" if each.found is None else "never" if isinf(each.found) else f"{figure_cell(each.found)} {each.unit}",
            each.verdict,
            each.why or "–",
        )
        for each in goals.others(results)
    ]
    return [
        "## Goals",
        "",
        (
            "CPU a request in µs at each load: a closed loop with so many connections, or a fixed rate. The service "
            "has all default features on: access log, metrics, request id, validation, deadline, in-flight limit, "
            "ETag. Beside it is the best Python peer, which has none of them. `<`: the service takes less than every "
            "peer. `≈`: the interval of a ratio contains 1. **`>`**: it takes more than a peer, and the goal is missed."
        ),
        "",
        *(table(("", *shown), rows) if shown else ["Not in these results; `make bench ONLY=matrix` measures it.", ""]),
        *table(("goal", "bound", "measured", "verdict", "notes"), others),
    ]


def _what_follows(results: Results) -> list[str]:
    lines = [*readme.coalescing(results)]
    costs = sizing.costs(results)
    if costs and "get" in costs.cpu_us:
        a_pod = sizing.rounded_down(sizing.CPU_SHARE / costs.cpu_us["get"] * 1e6)
        lines.append(
            f"A pod carries {a_pod:,} GETs/s with {percent(sizing.CPU_SHARE)} of a core. "
            "[Sizing](benchmarks/sizing.md) has pods, CPU, memory and connections for other rates and mixes."
        )
    for operation in goals.TAILS:
        one = tail(results, operation)
        if one and one.rounds[0].rate and one.quantile(LEVEL_SHARE):
            multiple = goals.multiple(results, one, LEVEL_SHARE)
            of = f" ({multiple_cell(multiple)} the control's)" if multiple else ""
            p50, p999 = (milliseconds_cell(one.quantile(share)) for share in (0.5, LEVEL_SHARE))
            lines.append(
                f"{NAMES[operation]} at {one.rounds[0].rate:,.0f}/s, {one.rounds[0].load} of one process, in ms: "
                f"p50 {p50}, p99.9 {p999}{of}."
            )
    bound = Counter(
        one.bound
        for operation in goals.OPERATIONS
        for load in loads(results, "matrix")
        for one in measured(results, "matrix", SERVICES, operation, load).values()
    )
    if bound[LOADS_CORE]:
        lines.append(
            f"In {bound[LOADS_CORE]} of the {bound.total()} cells of the service PostgreSQL and the load generator "
            "used their core up before the service did its own: answers/s there are this machine's, not the service's."
        )
    told = Counter(each.verdict for each in findings(results, "article"))
    if told.total() > told["not measured"]:
        lines.append(
            f"Of the article's claims on Gunicorn in front of aiohttp, {told['confirmed']} are confirmed, "
            f"{told['changed']} changed and {told['refuted']} refuted: [measured again](benchmarks/article.md)."
        )
    return ["## What follows for you", "", *(f"- {each}" for each in lines), ""]


def _measured(results: Results) -> list[str]:
    thrown = judge.thrown_away(results)
    runs = []
    for experiment, taken in results.taken.items():
        of = [each for each in results.samples if each.experiment == experiment]
        if of:
            cells = judge.cells(replace(results, samples=of)).values()
            rounds = min(len({each.round for each in samples}) for samples in cells)
            bad, whole = thrown.get(experiment, (0, 0))
            costs = [each.conditions.generator_us for each in of if each.conditions]
            runs.append((
                experiment, taken.commit, taken.at, str(rounds), percent(estimate(range(rounds)).coverage, 1),
                f"{bad} of {whole}" if whole else "not judged",
                span_cell(each.seconds for each in of),
                f"{sum(each.requests for each in of):,}",
                figure_cell(median(costs)) if costs else "–",
            ))  # fmt: skip
    head = (
        "experiment", "commit", "started at", "rounds", "interval coverage", "rounds thrown away", "seconds per load",
        "requests", "generator, µs a request",
    )  # fmt: skip
    described = [
        (name.replace("_", " "), value) for name, value in (*results.machine.items(), *results.versions.items())
    ]
    return [
        "## How it was measured",
        "",
        (
            f"{METHOD}\n"
            "- **Rounds** are interleaved: in each round of a cell, an operation at a load, all subjects take turns. "
            "In the matrix a turn lasts 0.1 s, or 0.24 s with 64 connections, so a machine whose speed changes affects "
            "all alike.\n"
            "- **Subjects are compared** by the ratios of their CPU in the same rounds: the median, and its interval.\n"
            "- **CPU** is the user and system time of all processes of a subject; **memory** is their proportional set "
            "size (PSS), beside other frameworks while no other subject runs.\n"
            "- **The load** comes from a program of the harness, `harness/load_generator`, on the core of PostgreSQL. "
            "In an open loop latencies count from when a request was due.\n"
            f"- **The control**, `{judge.CONTROL}`, is a static response of aiohttp. It takes the same load in each "
            "round, as GETs. Multiples are of its quantile over the same rounds."
        ),
        "",
        f"A round is thrown away, and repeated within a bound, for one of these. A cell needs {judge.LEAST} good ones:",
        "",
        *judge.RULES.splitlines(),
        "",
        *table(head, runs),
        *table(("machine and versions", ""), described),
    ]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.report build/bench/results.json")
    file = Path(sys.argv[1])
    if not file.exists():
        sys.exit(f"{file} is not there: `make bench` makes it")
    results = Results.load(file)
    refused = judge.refusals(results)
    trusted = not results.quick and not refused
    folder = DOCS if trusted else PREVIEW
    write(results if trusted else replace(results, quick=True), folder, trusted=trusted)
    print(*refused, f"wrote {folder / 'benchmarks.md'}, the pages behind it, and their pictures", sep="\n")


if __name__ == "__main__":
    main()
