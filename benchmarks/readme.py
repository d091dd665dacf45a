"""Writes the README's section on speed from the results."""

from benchmarks.claims import findings
from benchmarks.markdown import estimate_cell, table
from benchmarks.measurement import NAMES, PEERS, measured, measurement, operations
from benchmarks.results import Results

BEGIN = "<!-- benchmarks.report writes from here -->"
END = "<!-- to here -->"

_ALONE = "service-without-coalescing"


def renewed(readme: str, results: Results) -> str:
    """Return the README with an updated section on speed.

    Raises:
        ValueError: the README lacks the two comments that enclose the section.
    """
    before, begun, rest = readme.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (begun and ended):
        raise ValueError(f"The README needs the lines {BEGIN} and {END}, for the section on speed between them.")
    return "\n".join([before + BEGIN, "", *_section(results), END + after])


def _section(results: Results) -> list[str]:
    asked = operations(results, "comparison")
    rows = []
    for subject in ("service", _ALONE, *PEERS):
        found = [measurement(results, "comparison", subject, each) for each in asked]
        rows.append((subject, *(estimate_cell(one.cpu_us) if one else "–" for one in found)))
    by_verdict: dict[str, list[str]] = {}
    for each in findings(results, "article"):
        by_verdict.setdefault(each.verdict, []).append(each.claim)
    return [
        (
            "CPU per request, side by side in one run: the service with all that it has by default (access log, "
            "metrics, request id, validation, deadline, in-flight bound, ETag), the peers without log, metrics, "
            "request id, limits and deadlines."
        ),
        "",
        *table(("CPU per request, µs", *(NAMES[each] for each in asked)), rows),
        *_coalescing(results),
        "![CPU per request](docs/benchmarks/cpu.svg)",
        "",
        "The article's experiment, repeated:",
        "",
        *(f"- **{verdict}**: {'; '.join(claims)}." for verdict, claims in by_verdict.items()),
        "",
        "![requests per second, bare and with Gunicorn](docs/benchmarks/throughput.svg)",
        "",
        "[docs/benchmarks.md](docs/benchmarks.md) has every figure, how it was measured, and the goals it misses.",
        "",
    ]


def _coalescing(results: Results) -> list[str]:
    """Explain the lead in GETs, and compare the service without coalescing with the best peer."""
    alone = measurement(results, "comparison", _ALONE, "get")
    peers = measured(results, "comparison", PEERS, "get")
    if not (alone and peers):
        return []
    name, best = min(peers.items(), key=lambda each: each[1].cpu_us.middle)
    if alone.cpu_us.high < best.cpu_us.low:
        verdict = "less than the best peer"
    elif alone.cpu_us.low > best.cpu_us.high:
        verdict = "more than the best peer"
    else:
        verdict = "a tie with the best peer, as the intervals overlap"
    return [
        (
            f"The lead in GETs is coalescing: reads by id that wait at the same time until a connection is free, here "
            f"those of {alone.rounds[0].connections} clients, leave as one statement. Where few requests come at once "
            f"there is nothing to coalesce. With a statement for each read (`{_ALONE}`) a GET takes "
            f"{estimate_cell(alone.cpu_us)} µs, and {name} {estimate_cell(best.cpu_us)}: {verdict}."
        ),
        "",
    ]
