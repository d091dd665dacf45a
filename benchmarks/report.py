"""Writes docs/benchmarks.md, its pictures and the README's figures.

Run `python -m benchmarks.report build/bench/results.json`. A section says so if the results lack its experiment.
"""

import sys
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from math import isinf
from pathlib import Path

from benchmarks import readme, sizing, vegeta
from benchmarks.claims import findings
from benchmarks.goals import goals
from benchmarks.markdown import (
    estimate_cell,
    figure_cell,
    images,
    left_out,
    quantile_cells,
    share_cell,
    span_cell,
)
from benchmarks.measurement import (
    FLOORS,
    LEVEL_SHARE,
    LEVELS_MS,
    NAMES,
    PEERS,
    VARIANTS,
    Measurement,
    idle_mib,
    measurement,
    operations,
    peak_shares,
    start_seconds,
    subjects,
)
from benchmarks.results import STEP_MS, Experiment, Operation, Results, Sample
from benchmarks.statistics import METHOD, estimate, percent
from harness.markdown import table
from harness.repository import BUILD, REPOSITORY

DOCS, README = REPOSITORY / "docs", REPOSITORY / "README.md"
CHARTS = BUILD / "bench" / "charts.html"
FINE_TO_MS = 50
"""Histograms have steps of `STEP_MS` up to this limit, and of 1 ms above it, to keep the file small."""

SECTIONS: dict[Experiment, tuple[str, str]] = {
    "article": (
        "The article's experiment",
        (
            "Load: a closed loop by hey with {connections} connections. Each hey process requests its own row, so that "
            "PUT does not measure a row lock. Service levels of the article: {share} of the requests are answered "
            "within {get:.0f} ms (GET), {post:.0f} ms (POST) and {put:.0f} ms (PUT). `misses` is the share of requests "
            "that failed or took longer than that."
        ),
    ),
    "cluster": (
        "The article's experiment on a cluster",
        (
            "The service is installed by the chart with the profiles `article-*`, and requested through the Ingress "
            "with {connections} connections. The load, the Ingress controller and PostgreSQL run on the same nodes as "
            "the pods. Where the pods' CPU is far below its limit, the nodes were the bottleneck, so the result says "
            "nothing about claims on the pods."
        ),
    ),
}
DATABASE_CORES = 4
MIX = sizing.Rates(get=0.9, post=0.05, put=0.05)
_ANSWERS = ("answers/s", "p50, ms", "p99, ms", "p99.9, ms", "misses", "failed")


def write(results: Results, folder: Path) -> None:
    """Write benchmarks.md, its pictures and the results to a folder, and the interactive charts to build/bench.

    If the folder is `DOCS`, the figures in the README are updated as well.

    Raises:
        SystemExit: there is no Chrome or Chromium to draw the pictures.
    """
    from benchmarks import charts  # imported here, because writing text does not need Plotly

    kept = coarser(results)
    charts.page(kept, CHARTS)
    pictures = charts.stills(kept, folder / "benchmarks")
    (folder / "benchmarks.md").write_text(page(kept, pictures), encoding="utf-8")
    kept.save(folder / "benchmarks" / "results.json")
    if folder == DOCS:
        README.write_text(readme.renewed(README.read_text(encoding="utf-8"), kept), encoding="utf-8")


def coarser(results: Results) -> Results:
    """Merge histogram steps to 1 ms above `FINE_TO_MS`, by their upper ends, so that no count crosses a level."""
    return replace(results, samples=[_coarser(each) for each in results.samples])


def _coarser(sample: Sample) -> Sample:
    fine, wide = round(FINE_TO_MS / STEP_MS), round(1 / STEP_MS)
    counts: dict[int, int] = {}
    for step, count in sample.histogram.items():
        kept = step if step < fine else step // wide * wide + wide - 1
        counts[kept] = counts.get(kept, 0) + count
    return replace(sample, histogram=counts)


def page(results: Results, pictures: Collection[str]) -> str:
    """Return the page, with the pictures that exist."""
    parts = [
        "# Benchmarks",
        "",
        (
            "`make bench` runs the benchmarks and writes this page. Every figure comes from "
            "[benchmarks/results.json](benchmarks/results.json)."
        ),
        "",
        *(["**Quick run, scaled down: do not quote these figures.**", ""] if results.quick else []),
        *_goals(results),
        *_measured(results),
        *_matrix(results, "article", pictures),
        *_open_loop(results, pictures),
        *_comparison(results, pictures),
        *_matrix(results, "cluster", pictures),
        *_sizing(results, pictures),
    ]
    return "\n".join(parts).rstrip() + "\n"


def _goals(results: Results) -> list[str]:
    rows = [
        (
            each.what,
            "–" if each.at_most is None else f"{'<' if each.below else '≤'} {figure_cell(each.at_most)} {each.unit}",
            "–" if each.found is None else "never" if isinf(each.found) else f"{figure_cell(each.found)} {each.unit}",
            each.verdict,
            each.why or "–",
        )
        for each in goals(results)
    ]
    return [
        "## Goals",
        "",
        (
            "CPU figures are the server's CPU time per request in the comparison below: 64 connections, ids from 1,000 "
            "rows, all default features on. The peers are the other frameworks. The floors are a static response and a "
            "bare query. All of them were measured in the same run, and medians are compared."
        ),
        "",
        *table(("goal", "bound", "measured", "verdict", "notes"), rows),
    ]


def _measured(results: Results) -> list[str]:
    runs = [
        (
            experiment,
            results.taken[experiment].commit,
            results.taken[experiment].at,
            f"{max(each.round for each in of)}",
            percent(estimate(range(max(each.round for each in of))).coverage, 1),
            span_cell(each.seconds for each in of),
            span_cell(each.connections for each in of),
            f"{sum(each.requests for each in of):,}",
        )
        for experiment in ("article", "open-loop", "comparison", "cluster")
        if (
            of := [
                each
                for each in results.samples
                if (each.experiment, bool(each.peak_share)) == (experiment, experiment == "open-loop")
            ]
        )
    ]
    limits = [(name, f"{cpu:g}", f"{mebibytes:,.0f}") for name, (cpu, mebibytes) in results.limits.items()]
    described = [
        (name.replace("_", " "), value) for name, value in (*results.machine.items(), *results.versions.items())
    ]
    return [
        "## How it was measured",
        "",
        (
            f"{METHOD}\n"
            "- **Rounds** are interleaved: in each round, every subject is measured once.\n"
            "- **CPU** is the user and system time of all processes of a subject; **memory** is their proportional set "
            "size (PSS).\n"
            f"- **Histograms** have steps of {STEP_MS} ms up to {FINE_TO_MS} ms, and of 1 ms above."
        ),
        "",
        *table(
            (
                "experiment",
                "commit",
                "started at",
                "rounds",
                "interval coverage",
                "seconds per load",
                "connections",
                "requests",
            ),
            runs,
        ),
        f"The article's pods and limits are scaled: {results.scale.removesuffix('.')}.",
        "",
        *table(("deployment", "CPU limit, cores", "memory limit, MiB"), limits),
        *table(("machine and versions", ""), described),
    ]


def _matrix(results: Results, experiment: Experiment, pictures: Collection[str]) -> list[str]:
    title, text = SECTIONS[experiment]
    asked = operations(results, experiment)
    if not asked:
        return left_out(title, experiment)
    rows = []
    for operation in asked:
        for subject in subjects(results, experiment):
            one = measurement(results, experiment, subject, operation)
            if one:
                rows.append(_matrix_row(results, subject, operation, one))
    connections = max(each.connections for each in results.samples if each.experiment == experiment)
    prefix = "cluster-" if experiment == "cluster" else ""
    named = ("throughput", "latency-get", "latency-post", "latency-put", "quantiles", "limits")
    return [
        f"## {title}",
        "",
        text.format(connections=connections, share=percent(LEVEL_SHARE, 1), **LEVELS_MS),
        "",
        *table(
            (
                "",
                "deployment",
                *_ANSWERS,
                "CPU, share of the limit",
                "memory, share of the limit",
                "CPU per request, µs",
            ),
            rows,
        ),
        *_failures(results, experiment),
        *images(pictures, [prefix + name for name in named]),
        "### The article's claims" + (" on a cluster" if experiment == "cluster" else ""),
        "",
        *table(
            ("claim", "verdict", "figures", "confirmed if"),
            [
                (each.claim, f"**{each.verdict}**" if each.figures != "–" else each.verdict, each.figures, each.rule)
                for each in findings(results, experiment)
            ],
        ),
    ]


def _matrix_row(results: Results, subject: str, operation: Operation, one: Measurement) -> tuple[str, ...]:
    cores, mebibytes = results.limits.get(subject, (0.0, 0.0))
    return (
        NAMES[operation],
        subject,
        estimate_cell(one.per_second),
        *quantile_cells(one),
        share_cell(one.missed_share(LEVELS_MS[operation])) if operation in LEVELS_MS else "–",
        share_cell(one.failed_share),
        percent(one.cores.middle / cores) if cores else "–",
        percent(one.memory_mib.middle / mebibytes) if mebibytes else "–",
        estimate_cell(one.cpu_us),
    )


def _failures(results: Results, experiment: Experiment) -> list[str]:
    """Describe the failures of all rounds: their kinds and counts."""
    kinds: dict[str, Counter[str]] = {}
    for each in results.samples:
        if each.experiment == experiment and each.failures:
            kinds.setdefault(f"{each.subject} {NAMES[each.operation]}", Counter()).update(each.failures)
    told = (
        f"{what} {', '.join(f'{count:,} × {kind}' for kind, count in counts.most_common())}"
        for what, counts in kinds.items()
    )
    return [f"Failures: {'; '.join(told) or 'none'}.", ""]


def _open_loop(results: Results, pictures: Collection[str]) -> list[str]:
    title = "Open loop at fixed rates"
    asked = operations(results, "open-loop")
    if not asked:
        return left_out(title, "open-loop")
    rows = []
    for operation in asked:
        for share in (None, *peak_shares(results)):
            for subject in subjects(results, "open-loop"):
                one = measurement(results, "open-loop", subject, operation, share)
                if one:
                    rates = [each.rate for each in one.rounds if each.rate]
                    rows.append(
                        (
                            NAMES[operation],
                            percent(share) if share else "peak",
                            subject,
                            f"{estimate(rates).middle:,.0f}" if rates else "–",
                            estimate_cell(one.per_second),
                            *quantile_cells(one),
                            share_cell(one.missed_share(LEVELS_MS[operation])) if operation in LEVELS_MS else "–",
                            share_cell(one.failed_share),
                            f"{one.requests:,}",
                        )
                    )
    return [
        f"## {title}",
        "",
        (
            "A closed loop sends the next request only after the previous response, so its latencies hide overload. In "
            "an open loop vegeta sends requests at a fixed rate, whether or not earlier requests were answered. The "
            "rate is a share of the subject's peak. The rows `peak` show that peak, which was measured in a closed "
            "loop without CPU and memory limits. Latency is measured from the time at which a request was due. vegeta "
            f"opens at most {vegeta.OPEN_CONNECTIONS:,} connections. Requests that find all of them busy wait for a "
            "free one, and the wait counts as latency."
        ),
        "",
        *(
            [f"**This experiment was {reservation}.**", ""]
            if (reservation := results.taken["open-loop"].reservation)
            else []
        ),
        *table(
            (
                "",
                "of the peak",
                "deployment",
                "sent/s",
                *_ANSWERS,
                "requests",
            ),
            rows,
        ),
        *_failures(results, "open-loop"),
        *_broken_off(results),
        *images(pictures, ["quantiles-open-loop"]),
    ]


def _broken_off(results: Results) -> list[str]:
    """Describe the loads at a fixed rate that sent fewer requests than planned."""
    loads = [each for each in results.samples if each.experiment == "open-loop" and each.peak_share]
    longest: dict[tuple[str, Operation, float | None], float] = {}
    for each in loads:
        kind = each.subject, each.operation, each.peak_share
        longest[kind] = max(each.seconds, longest.get(kind, 0))
    short = [each for each in loads if each.seconds < 0.95 * longest[each.subject, each.operation, each.peak_share]]
    if not short:
        return []
    shares = ", ".join(percent(share) for share in sorted({each.peak_share or 0 for each in short}))
    return [
        (
            f"**{len(short)} of the {len(loads)} loads ended early**, at {shares} of the peak: vegeta sent fewer "
            "requests than planned. The requests that it sent are counted, but the answers/s of these loads are not "
            "reliable."
        ),
        "",
    ]


def _comparison(results: Results, pictures: Collection[str]) -> list[str]:
    title = "Comparison with other frameworks"
    asked = operations(results, "comparison")
    if not asked:
        return left_out(title, "comparison")
    costs, times = [], []
    for subject in (each for each in (*VARIANTS, *PEERS, *FLOORS) if each in subjects(results, "comparison")):
        found = {each: one for each in asked if (one := measurement(results, "comparison", subject, each))}
        idle, start = idle_mib(results, subject), start_seconds(results, subject)
        get = found.get("get")
        costs.append(
            (
                subject,
                *(estimate_cell(found[each].cpu_us) if each in found else "–" for each in asked),
                estimate_cell(get.database_cpu_us) if get else "–",
                f"{idle.middle:.1f}" if idle else "–",
                f"{max(one.memory_mib.middle for one in found.values()):.1f}" if found else "–",
                f"{start.middle:.2f}" if start else "–",
            )
        )
        for operation, one in found.items():
            times.append(
                (
                    NAMES[operation],
                    subject,
                    estimate_cell(one.per_second),
                    *quantile_cells(one),
                    share_cell(one.failed_share),
                )
            )
    times.sort(key=lambda row: list(NAMES.values()).index(row[0]))
    return [
        f"## {title}",
        "",
        (
            "All subjects implement the same API contract. The peers are in "
            "[benchmarks/peers](../benchmarks/peers/README.md), each written as its framework's documentation shows.\n"
            "\n"
            "- `service`: all default features are on: access log, metrics, request id, validation, deadline, "
            "in-flight limit, ETag and coalesced reads.\n"
            "- `service-without-coalescing`, `service-two-processes`, `service-four-connections`: `service` with one "
            "setting changed, as the name says.\n"
            "- The peers have no access log, metrics, request id, limits or deadlines.\n"
            "- `floor-static`: a static aiohttp response, without a database. `floor-query`: an asyncpg query on open "
            "connections, without HTTP. The sum of both is the least CPU that a GET needs, unless several requests "
            "share a query."
        ),
        "",
        *table(
            (
                "CPU per request, µs",
                *(NAMES[each] for each in asked),
                "PostgreSQL, GET",
                "memory idle, MiB",
                "memory under load, MiB",
                "start, s",
            ),
            costs,
        ),
        *images(pictures, ["cpu", "footprint"]),
        *table(("", "subject", "answers/s", "p50, ms", "p99, ms", "p99.9, ms", "failed"), times),
        *_failures(results, "comparison"),
        *images(pictures, ["quantiles-comparison"]),
    ]


def _sizing(results: Results, pictures: Collection[str]) -> list[str]:
    title, costs = "Sizing", sizing.costs(results)
    if not costs:
        return left_out(title, "comparison")
    tables = []
    for name, mix in (("GETs by id alone", sizing.Rates(get=1)), ("90 % GETs, 5 % POSTs, 5 % PUTs", MIX)):
        if all(each in costs.cpu_us or not getattr(mix, each) for each in NAMES):
            ends = sizing.bottlenecks(sizing.plan(costs, mix), mix, DATABASE_CORES)
            tables += [
                f"### {name}",
                "",
                *table(_SIZES, [_size(results, costs, mix, rate) for rate in sizing.TABLE]),
                f"Next bottlenecks: {'; '.join(ends)}.",
                "",
            ]
    return [
        f"## {title}",
        "",
        (
            "To size a deployment for your request rates, run "
            "`python -m benchmarks.sizing --gets 2000 --posts 100 --puts 50 --pages 20`. It uses these rules:"
        ),
        "",
        *sizing.RULES.splitlines(),
        "",
        (
            f"GETs alone were measured up to {sizing.measured_to(results):,.0f}/s. Higher rates and mixes are marked "
            "`arithmetic`: they are the cost of one request times the rate. The tables assume "
            f"{DATABASE_CORES} cores for PostgreSQL."
        ),
        "",
        *tables,
        *images(pictures, ["sizing"]),
    ]


_SIZES = (
    "requests/s",
    "basis",
    "pods",
    "CPU request per pod",
    "memory request, limit per pod",
    "service CPU, cores",
    "PostgreSQL CPU, cores",
    "connections",
)


def _size(results: Results, costs: sizing.Costs, mix: sizing.Rates, rate: float) -> tuple[str, ...]:
    rates = sizing.Rates(*(rate * share for share in (mix.get, mix.post, mix.put, mix.page)))
    plan = sizing.plan(costs, rates)
    return (
        f"{rate:,}",
        "measured" if sizing.was_measured(results, rates) else "arithmetic",
        str(plan.pods),
        f"{plan.cpu_millicores}m",
        f"{plan.memory_request_mib}Mi, {plan.memory_limit_mib}Mi",
        f"{plan.service_cores:.2f}",
        f"{plan.database_cores:.2f}",
        str(plan.connections) + f" of {sizing.MAX_CONNECTIONS}" * (plan.connections > sizing.MAX_CONNECTIONS),
    )


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.report build/bench/results.json")
    file = Path(sys.argv[1])
    if not file.exists():
        sys.exit(f"{file} is not there: `make bench` makes it")
    results = Results.load(file)
    folder = BUILD / "bench" if results.quick else DOCS
    write(results, folder)
    print(f"wrote {folder / 'benchmarks.md'}, its pictures, and {CHARTS}")


if __name__ == "__main__":
    main()
