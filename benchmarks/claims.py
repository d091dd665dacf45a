"""The article's claims, each with the rule that decides if the figures confirm it, refute it or show a change."""

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from benchmarks.measurement import LEVEL_SHARE, LEVELS_MS, Measurement, measurement
from benchmarks.results import Experiment, Operation, Results
from benchmarks.scale import ARTICLE, Deployment
from benchmarks.statistics import percent

Verdict = Literal["confirmed", "changed", "refuted", "not measured"]

_ALLOWED = 1 - LEVEL_SHARE + 1e-12
_NOISE = 0.0001


class Deployed(NamedTuple):
    """What was measured of a deployment, as it was scaled here."""

    name: str
    of: Mapping[Operation, Measurement]
    here: Deployment

    def most_cores(self) -> float:
        return max(one.cores.middle for one in self.of.values())

    def most_memory_mib(self) -> float:
        """Return the most memory under load, scaled to the article's pods."""
        return max(one.memory_mib.middle for one in self.of.values()) * ARTICLE[self.name].pods / self.here.pods


class Finding(NamedTuple):
    """The verdict on a claim."""

    claim: str
    rule: str
    verdict: Verdict
    figures: str


Judge: TypeAlias = Callable[..., tuple[Verdict, str]]
"""Decides on a claim about some deployments, by their `Deployed`, and tells the figures."""
Rule: TypeAlias = Callable[..., tuple[bool, str]]
"""Tells if a claim holds for an operation, the first argument, and the figures; the others are as of `Judge`."""


def findings(results: Results, experiment: Experiment) -> list[Finding]:
    """Return the verdict on each claim, from the article's matrix on this machine or on a cluster."""
    deployments = results.taken[experiment].deployments if experiment in results.taken else {}
    found = {}
    for name, here in deployments.items():
        if of := {each: one for each in LEVELS_MS if (one := measurement(results, experiment, name, each))}:
            found[name] = Deployed(name, of, here)
    made = []
    for claim, rule, about, judge in CLAIMS:
        deployed = [found[name] for name in about if name in found]
        verdict, figures = judge(*deployed) if len(deployed) == len(about) else ("not measured", "–")
        made.append(Finding(claim, rule, verdict, figures))
    return made


def _each(rule: Rule) -> Judge:
    """Confirm a claim that holds for all operations, refute one that holds for none."""

    def judge(*deployed: Deployed) -> tuple[Verdict, str]:
        found = {operation: rule(operation, *deployed) for operation in deployed[0].of}
        held = [each for each, _ in found.values()]
        told = "; ".join(f"{operation.upper()} {figures}" for operation, (_, figures) in found.items())
        return "confirmed" if all(held) else "changed" if any(held) else "refuted", told

    return judge


def _meets_levels(operation: Operation, one: Deployed) -> tuple[bool, str]:
    missed = one.of[operation].missed_share(LEVELS_MS[operation])
    return missed <= _ALLOWED, percent(missed, 3)


def _misses_by_far(operation: Operation, one: Deployed) -> tuple[bool, str]:
    missed = one.of[operation].missed_share(LEVELS_MS[operation])
    return missed > 10 * _ALLOWED, percent(missed, 3)


def _at_the_limit(operation: Operation, *deployed: Deployed) -> tuple[bool, str]:
    shares = [each.of[operation].cores.middle / each.here.cpu for each in deployed]
    return all(0.85 <= each <= 1.1 for each in shares), ", ".join(map(percent, shares))


def _no_speed(operation: Operation, bare: Deployed, other: Deployed) -> tuple[bool, str]:
    usual, found = bare.of[operation].per_second, other.of[operation].per_second
    return found.low <= usual.high, f"{found.middle:,.0f} against {usual.middle:,.0f}/s"


def _no_less_cpu(operation: Operation, bare: Deployed, other: Deployed) -> tuple[bool, str]:
    usual, found = bare.of[operation].cpu_us, other.of[operation].cpu_us
    return found.high >= usual.low, f"{found.middle:,.0f} against {usual.middle:,.0f} µs"


def _no_stability(operation: Operation, *deployed: Deployed) -> tuple[bool, str]:
    bare, *others = (each.of[operation].failed_share for each in deployed)
    return min(others) >= bare - _NOISE, ", ".join(percent(each, 3) for each in (bare, *others))


def _loses_requests(operation: Operation, without: Deployed, one: Deployed) -> tuple[bool, str]:
    usual, lost = without.of[operation].lost_share, one.of[operation].lost_share
    return lost > 10 * usual, f"{percent(lost, 3)} against {percent(usual, 3)}"


def _ratio(found: float, said: float) -> Verdict:
    return "confirmed" if abs(found / said - 1) <= 0.15 else "changed" if found > 1.05 else "refuted"


def _memory(said: float) -> Judge:
    def judge(bare: Deployed, other: Deployed) -> tuple[Verdict, str]:
        usual, most = bare.most_memory_mib(), other.most_memory_mib()
        told = f"{most:,.0f} against {usual:,.0f} MiB under load, scaled to the article's pods"
        return _ratio(most / usual, said), f"{most / usual:.2f} times: {told}"

    return judge


def _more_cpu(bare: Deployed, other: Deployed) -> tuple[Verdict, str]:
    usual, most = bare.most_cores(), other.most_cores()
    return _ratio(most / usual, 10 / 7), f"{most / usual:.2f} times: {most:.2f} against {usual:.2f} cores at most"


ONE, ELEVEN, ALL = ("bare", "gunicorn-1"), ("bare", "gunicorn-11"), ("bare", "gunicorn-1", "gunicorn-11")
LEVELS = "at most 0.1 % of the requests miss their level"
RATIO = "the ratio is within 15 % of the claim; changed if it is above 1.05"
CLAIMS: tuple[tuple[str, str, tuple[str, ...], Judge], ...] = (
    ("Bare aiohttp meets the service levels", LEVELS, ("bare",), _each(_meets_levels)),
    ("Gunicorn with one worker meets the service levels", LEVELS, ("gunicorn-1",), _each(_meets_levels)),
    (
        "Gunicorn with eleven workers per pod misses the service levels by far",
        "more than 1 % of the requests miss their level", ("gunicorn-11",), _each(_misses_by_far),
    ),
    ("One worker uses about 30 % more memory than bare", RATIO, ONE, _memory(1.3)),
    ("Eleven workers use 2⅓ times the memory of bare", RATIO, ELEVEN, _memory(7 / 3)),
    ("Eleven workers use 43 % more CPU than bare", RATIO, ELEVEN, _more_cpu),
    (
        "All use 90 to 105 % of their CPU limit: bare, one worker, eleven workers",
        "each is within 5 percentage points of the claim", ALL, _each(_at_the_limit),
    ),
    (
        "Gunicorn is not faster: requests/s under equal limits",
        "one worker's interval of requests/s is not above bare's", ONE, _each(_no_speed),
    ),
    (
        "More workers are not faster either: CPU per request",
        "eleven workers' interval of CPU is not below bare's", ELEVEN, _each(_no_less_cpu),
    ),
    (
        "Gunicorn is not more stable: failed requests of bare, one worker, eleven workers",
        "Gunicorn does not fail less by over 0.01 % of the requests", ALL, _each(_no_stability),
    ),
    (
        "Found after the article: Gunicorn's `max_requests` 1000 loses requests",
        "over ten times as many requests get no answer as without it",
        ("gunicorn-1", "gunicorn-1-max-requests"), _each(_loses_requests),
    ),
)  # fmt: skip
