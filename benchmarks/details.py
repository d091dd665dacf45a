"""The pages behind docs/benchmarks.md: all cells of the matrix, the article's experiment, and sizing."""

from collections.abc import Collection

from benchmarks import sizing
from benchmarks.claims import findings
from benchmarks.goals import multiple
from benchmarks.judge import CONTROL
from benchmarks.markdown import (
    estimate_cell,
    failures,
    images,
    left_out,
    multiple_cell,
    quantile_cells,
    share_cell,
)
from benchmarks.measurement import (
    LEVEL_SHARE,
    LEVELS_MS,
    NAMES,
    OPERATIONS,
    Measurement,
    footprint,
    loads,
    measurement,
    operations,
    subjects,
)
from benchmarks.results import Experiment, Operation, Results
from benchmarks.statistics import percent
from harness.markdown import table

SECTIONS: dict[Experiment, tuple[str, str]] = {
    "article": (
        "The article's experiment",
        (
            "Load: a closed loop with {connections} connections; the article used hey. Requests are for many rows in "
            "turn, so that PUT does not measure a row lock. Service levels of the article: {share} of the requests are "
            "answered within {get:.0f} ms (GET), {post:.0f} ms (POST) and {put:.0f} ms (PUT). `misses` is the share of "
            "requests that failed or took longer than that."
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
MIXES: dict[str, sizing.Rates] = {
    "GETs by id alone": {"get": 1},
    "90 % GETs, 5 % POSTs, 5 % PUTs": {"get": 0.9, "post": 0.05, "put": 0.05},
}
_COSTS = (
    "", "subject", "CPU per request, µs", "PostgreSQL, µs", "answers/s", "p50, ms", "p99, ms", "p99.9, ms",
    "p50, of the control's", "p99", "p99.9", "failed", "used up",
)  # fmt: skip


def matrix(results: Results) -> str:
    """Return the page with all cells of the matrix."""
    parts = [
        "# Benchmarks: all loads",
        "",
        (
            "All subjects implement the same API contract. The [peers](../../benchmarks/peers/README.md) are written "
            "as their documentation shows, and have no access log, metrics, request id, limits or deadlines. `service` "
            "has all default features on. `floor-static` is the control, a static aiohttp response; it gets GETs at "
            "each load. `floor-query` is an asyncpg query on four open connections, without HTTP."
        ),
        "",
        (
            "The columns of the control say how many times as long as the control's a response took in the same "
            "rounds. The last column says which cores were used up: those of the server, or those of the load, which "
            "PostgreSQL is on. Where they are the load's, CPU figures hold, and a faster machine would answer sooner."
        ),
        "",
    ]
    for operation in OPERATIONS:
        rows = _cost_rows(results, "matrix", operation)
        parts += [f"## {NAMES[operation]}", "", *table(_COSTS, rows)] if rows else []
    parts += failures(results, "matrix")
    tails = [row for operation in OPERATIONS for row in _cost_rows(results, "tails", operation, named=True)]
    if tails:
        reservation = results.taken["tails"].reservation
        parts += [
            "## At a share of the peak",
            "",
            (
                "The peak is that of a closed loop with 64 connections. Requests are then sent at a fixed rate, "
                "whether or not earlier ones were answered, and the latency counts from when a request was due. "
                "The share is 70 %, or less where the core of PostgreSQL and the load would be full."
            ),
            "",
            *([f"**This was {reservation}.**", ""] if reservation else []),
            *table(_COSTS, tails),
            *failures(results, "tails"),
        ]
    return "\n".join([*parts, *_footprints(results)]).rstrip() + "\n"


def _cost_rows(
    results: Results, experiment: Experiment, operation: Operation, *, named: bool = False
) -> list[tuple[str, ...]]:
    rows = []
    for load in loads(results, experiment):
        for subject in subjects(results, experiment):
            if one := measurement(results, experiment, subject, operation, load):
                rate = one.rounds[0].rate
                what = f"{NAMES[operation]}, {load}" if named else load
                rows.append((
                    f"{what}, {rate:,.0f}/s" if named and rate else what,
                    subject,
                    *map(estimate_cell, (one.cpu_us, one.database_cpu_us, one.per_second)),
                    *quantile_cells(one),
                    *(multiple_cell(_multiple(results, one, share)) for share in (0.5, 0.99, 0.999)),
                    share_cell(one.failed_share),
                    one.bound,
                ))  # fmt: skip
    return rows


def _multiple(results: Results, one: Measurement, share: float) -> float | None:
    return None if one.rounds[0].subject in {CONTROL, "floor-query"} else multiple(results, one, share)


def _footprints(results: Results) -> list[str]:
    rows = []
    for subject in dict.fromkeys(each.subject for each in results.footprints):
        found = [footprint(results, subject, each) for each in ("seconds", "idle_mib", "loaded_mib")]
        rows.append((subject, *(estimate_cell(each) if each else "–" for each in found)))
    head = ("", "start to first answer, s", "memory idle, MiB", "memory after load, MiB")
    return ["## Memory and start", "", *table(head, rows)] if rows else []


def article(results: Results, pictures: Collection[str]) -> str:
    """Return the page on the article's experiment, on this machine and on a cluster."""
    both = [*_deployments(results, "article", pictures), *_deployments(results, "cluster", pictures)]
    return "\n".join(["# Benchmarks: the 2019 article, measured again", "", *both]).rstrip() + "\n"


def _deployments(results: Results, experiment: Experiment, pictures: Collection[str]) -> list[str]:
    title, text = SECTIONS[experiment]
    asked = operations(results, experiment)
    if not asked:
        return left_out(title, experiment)
    taken = results.taken[experiment]
    limits = [(name, f"{cpu:g}", f"{mebibytes:,.0f}") for name, (cpu, mebibytes) in taken.limits.items()]
    rows = [
        _deployment_row(taken.limits.get(subject, (0.0, 0.0)), subject, operation, one)
        for operation in asked
        for subject in subjects(results, experiment)
        if subject != CONTROL and (one := measurement(results, experiment, subject, operation))
    ]
    connections = max(each.connections for each in results.samples if each.experiment == experiment)
    claims = [
        (each.claim, f"**{each.verdict}**" if each.figures != "–" else each.verdict, each.figures, each.rule)
        for each in findings(results, experiment)
    ]
    head = (
        "", "deployment", "answers/s", "p50, ms", "p99, ms", "p99.9, ms", "misses", "failed", "CPU, share of the limit",
        "memory, share of the limit", "CPU per request, µs",
    )  # fmt: skip
    return [
        f"## {title}",
        "",
        text.format(connections=connections, share=percent(LEVEL_SHARE, 1), **LEVELS_MS),
        "",
        f"The article's pods and limits are scaled: {taken.scale.removesuffix('.')}.",
        "",
        *table(("deployment", "CPU limit, cores", "memory limit, MiB"), limits),
        *table(head, rows),
        *failures(results, experiment),
        *images(pictures, [experiment]),
        "### The article's claims" + (" on a cluster" if experiment == "cluster" else ""),
        "",
        *table(("claim", "verdict", "figures", "confirmed if"), claims),
    ]


def _deployment_row(
    limit: tuple[float, float], subject: str, operation: Operation, one: Measurement
) -> tuple[str, ...]:
    cores, mebibytes = limit
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


def sizes(results: Results) -> str:
    """Return the page on sizing."""
    costs = sizing.costs(results)
    if not costs:
        return "\n".join(["# Sizing", "", *left_out("Sizing", "matrix")[2:]])
    tables = []
    for name, mix in MIXES.items():
        if mix.keys() <= costs.cpu_us.keys():
            ends = sizing.bottlenecks(sizing.plan(costs, mix), mix, DATABASE_CORES)
            rates = [{each: rate * share for each, share in mix.items()} for rate in sizing.TABLE]
            rows = [sizing.cells(results, sizing.plan(costs, each), each) for each in rates]
            tables += [f"## {name}", "", *table(sizing.COLUMNS, rows), f"Next bottlenecks: {'; '.join(ends)}.", ""]
    text = [
        "# Sizing",
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
    ]
    return "\n".join([*text, *tables]).rstrip() + "\n"
