"""The figures of the pages behind docs/benchmarks.md: all cells, the article's experiment, and sizing."""

import yaml

from benchmarks import sizing
from benchmarks.claims import findings
from benchmarks.goals import multiple
from benchmarks.judge import CONTROL
from benchmarks.markdown import estimate_cell, failures, missing, multiple_cell, quantile_cells, share_cell
from benchmarks.measurement import LEVELS_MS, NAMES, Measurement, footprint, loads, measurement, operations, subjects
from benchmarks.results import Experiment, Operation, Results
from benchmarks.scale import ARTICLE, CONNECTIONS, Deployment
from benchmarks.statistics import percent
from harness.markdown import table
from harness.repository import REPOSITORY

DATABASE_CORES = 4
MIXES: dict[str, sizing.Rates] = {
    "GETs by id alone": {"get": 1},
    "90 % GETs, 5 % POSTs, 5 % PUTs": {"get": 0.9, "post": 0.05, "put": 0.05},
}


def figures(results: Results) -> dict[str, list[str]]:
    """Return the lines of each part of the pages, by its name."""
    return {
        "matrix": _matrix(results),
        "tails": _tails(results),
        "footprints": _footprints(results),
        "article": _deployments(results, "article"),
        "article-claims": _claims(results, "article"),
        "cluster": _deployments(results, "cluster"),
        "cluster-claims": _claims(results, "cluster"),
        "sizing": _sizes(results),
        "profiles": _profiles(results),
    }


def _matrix(results: Results) -> list[str]:
    lines = []
    for operation in operations(results, "matrix"):
        lines += [f"## {NAMES[operation]}", "", *_costs(_cost_rows(results, "matrix", operation, "{load}"))]
    return [*lines, *failures(results, "matrix")] if lines else missing("matrix")


def _tails(results: Results) -> list[str]:
    asked = operations(results, "tails")
    rows = [row for each in asked for row in _cost_rows(results, "tails", each, "{name}, {load}, {rate:,.0f}/s")]
    return [*_costs(rows), *failures(results, "tails")] if rows else missing("tails")


def _costs(rows: list[tuple[str, ...]]) -> list[str]:
    head = (
        "", "subject", "CPU per request, µs", "PostgreSQL, µs", "answers/s", "p50, ms", "p99, ms", "p99.9, ms",
        "p50, of the control's", "p99", "p99.9", "failed", "used up",
    )  # fmt: skip
    return table(head, rows)


def _cost_rows(results: Results, experiment: Experiment, operation: Operation, what: str) -> list[tuple[str, ...]]:
    rows = []
    for load in loads(results, experiment):
        for subject in subjects(results, experiment):
            if one := measurement(results, experiment, subject, operation, load):
                compared = subject not in {CONTROL, "floor-query"}
                rows.append((
                    what.format(name=NAMES[operation], load=load, rate=one.rounds[0].rate),
                    subject,
                    *map(estimate_cell, (one.cpu_us, one.database_cpu_us, one.per_second)),
                    *quantile_cells(one),
                    *(multiple_cell(multiple(results, one, each) if compared else None) for each in (0.5, 0.99, 0.999)),
                    share_cell(one.failed_share),
                    one.bound,
                ))  # fmt: skip
    return rows


def _footprints(results: Results) -> list[str]:
    rows = []
    for subject in dict.fromkeys(each.subject for each in results.footprints):
        found = [footprint(results, subject, each) for each in ("seconds", "idle_mib", "loaded_mib")]
        rows.append((subject, *(estimate_cell(each) if each else "–" for each in found)))
    head = ("", "start to first answer, s", "memory idle, MiB", "memory after load, MiB")
    return table(head, rows) if rows else missing("matrix")


def _deployments(results: Results, experiment: Experiment) -> list[str]:
    asked = operations(results, experiment)
    if not (asked and (deployments := results.taken[experiment].deployments)):
        return missing(experiment)
    clients = next(each.connections for each in results.samples if each.experiment == experiment)
    rows = [
        _deployment_row(deployments[subject], subject, operation, one)
        for operation in asked
        for subject in subjects(results, experiment)
        if subject in deployments and (one := measurement(results, experiment, subject, operation))
    ]
    scaled = [
        (what, str(each.pods), f"{each.cpu:g}", f"{each.memory_mib:,.0f}", f"{each.density:.2g}", f"{of / each.pods:g}")
        for name, here in deployments.items()
        for what, each, of in ((name, here, clients), (f"{name}, in the article", ARTICLE[name], CONNECTIONS))
    ]
    scales = (
        "deployment", "pods", "CPU limit of all, cores", "memory limit of all, MiB", "processes a core",
        "connections a pod",
    )  # fmt: skip
    head = (
        "", "deployment", "answers/s", "p50, ms", "p99, ms", "p99.9, ms", "misses", "failed", "CPU, share of the limit",
        "memory, share of the limit", "CPU per request, µs",
    )  # fmt: skip
    return [
        *table(scales, scaled),
        *table(head, rows),
        *failures(results, experiment),
        f"![{experiment}]({experiment}.svg)",
        "",
    ]


def _deployment_row(here: Deployment, subject: str, operation: Operation, one: Measurement) -> tuple[str, ...]:
    return (
        NAMES[operation],
        subject,
        estimate_cell(one.per_second),
        *quantile_cells(one),
        share_cell(one.missed_share(LEVELS_MS[operation])) if operation in LEVELS_MS else "–",
        share_cell(one.failed_share),
        percent(one.cores.middle / here.cpu),
        percent(one.memory_mib.middle / here.memory_mib),
        estimate_cell(one.cpu_us),
    )


def _claims(results: Results, experiment: Experiment) -> list[str]:
    rows = [
        (each.claim, f"**{each.verdict}**" if each.figures != "–" else each.verdict, each.figures, each.rule)
        for each in findings(results, experiment)
    ]
    return table(("claim", "verdict", "figures", "confirmed if"), rows)


def _sizes(results: Results) -> list[str]:
    if not (costs := sizing.costs(results)):
        return missing("matrix")
    lines = [f"GETs alone were measured up to {sizing.measured_to(results):,.0f}/s.", ""]
    for name, mix in MIXES.items():
        if mix.keys() <= costs.cpu_us.keys():
            ends = sizing.bottlenecks(sizing.plan(costs, mix), mix, DATABASE_CORES)
            rates = [{each: rate * share for each, share in mix.items()} for rate in sizing.TABLE]
            rows = [sizing.cells(results, costs, each) for each in rates]
            lines += [f"## {name}", "", *table(sizing.COLUMNS, rows), f"Next bottlenecks: {'; '.join(ends)}.", ""]
    return lines


def _profiles(results: Results) -> list[str]:
    """Tell the GETs/s that the pods of chart/profiles carry at their autoscaler's target."""
    costs = sizing.costs(results)
    if not costs or "get" not in costs.cpu_us:
        return missing("matrix")
    rows = []
    for name in ("small", "medium", "large"):
        values = yaml.safe_load((REPOSITORY / "chart" / "profiles" / f"{name}.yaml").read_text(encoding="utf-8"))
        least, most = (values["autoscaling"].get(end) or values["replicas"] for end in ("minReplicas", "maxReplicas"))
        cpu = values["resources"]["requests"]["cpu"]
        a_pod = int(cpu.removesuffix("m")) * 1000 * sizing.CPU_SHARE / costs.cpu_us["get"]
        ends = dict.fromkeys(f"{sizing.rounded_down(pods * a_pod):,}" for pods in (least, most))
        sure = sizing.basis(results, {"get": most * a_pod})
        pods = " to ".join(dict.fromkeys(map(str, (least, most))))
        rows.append((name, pods, cpu, f"{a_pod:,.0f}", " to ".join(ends), sure, str(sizing.connections(most))))
    head = ("profile", "pods", "CPU request per pod", "GETs/s per pod", "GETs/s", "basis", "connections")
    return table(head, rows)
