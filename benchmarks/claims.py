"""The article's claims, each with the rule that decides if the figures confirm it, refute it or show a change."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from benchmarks.measurement import LEVEL_SHARE, LEVELS_MS, Measurement, measurement
from benchmarks.results import Experiment, Operation, Results
from benchmarks.statistics import percent

Verdict = Literal["confirmed", "changed", "refuted", "not measured"]

ARTICLE_PODS = {"bare": 10, "gunicorn-1": 10, "gunicorn-11": 2}
POD_MIB = {"bare": 512, "gunicorn-1": 512, "gunicorn-11": 3072}
"""Memory limit of a pod: the article's, at any scale."""


@dataclass(frozen=True)
class Finding:
    """The verdict on a claim."""

    claim: str
    rule: str
    verdict: Verdict
    figures: str


def findings(results: Results, experiment: Experiment) -> list[Finding]:
    """Return the verdict on each claim, from the article's matrix on this machine or on a cluster."""
    made = []
    for claim, rule, judge in CLAIMS:
        verdict, figures = judge(results, experiment) or ("not measured", "–")
        made.append(Finding(claim, rule, verdict, figures))
    return made


Judge = Callable[[Results, Experiment], tuple[Verdict, str] | None]


def _meets_levels(subject: str) -> Judge:
    def judge(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
        missed = _missed(results, experiment, subject)
        held = [share <= 1 - LEVEL_SHARE + 1e-12 for share in missed.values()]
        verdict: Verdict = "confirmed" if all(held) else "changed" if any(held) else "refuted"
        return (verdict, _shares(missed)) if missed else None

    return judge


def _far_outside(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
    missed = _missed(results, experiment, "gunicorn-11")
    allowed = 1 - LEVEL_SHARE
    far = [share > 10 * allowed for share in missed.values()]
    outside = [share > allowed + 1e-12 for share in missed.values()]
    verdict: Verdict = "confirmed" if all(far) else "changed" if any(outside) else "refuted"
    return (verdict, _shares(missed)) if missed else None


def _ratio_of_memory(subject: str, said: float) -> Judge:
    def judge(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
        ours, bare = (_article_memory(results, experiment, each) for each in (subject, "bare"))
        if not ours or not bare:
            return None
        figures = f"{ours / bare:.2f} times: {ours:,.0f} against {bare:,.0f} MiB under load"
        return _ratio(ours / bare, said), f"{figures}, scaled to the article's number of pods"

    return judge


def _more_cpu(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
    ours, bare = (
        max((one.cores.middle for one in _of(results, experiment, each).values()), default=0)
        for each in ("gunicorn-11", "bare")
    )
    if not ours or not bare:
        return None
    return _ratio(ours / bare, 10 / 7), f"{ours / bare:.2f} times: {ours:.2f} against {bare:.2f} cores at most"


def _cpu_against_limit(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
    shares = {
        (subject, operation): one.cores.middle / results.limits[subject][0]
        for subject in ARTICLE_PODS
        for operation, one in _of(results, experiment, subject).items()
        if subject in results.limits
    }
    if not shares:
        return None
    within = all(0.85 <= share <= 1.10 for share in shares.values())
    told = (f"{subject} {operation.upper()} {percent(share)}" for (subject, operation), share in shares.items())
    return "confirmed" if within else "changed", "; ".join(told)


def _no_speed(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
    bare, ours = (_of(results, experiment, each) for each in ("bare", "gunicorn-1"))
    both = [each for each in bare if each in ours]
    if not both:
        return None
    faster = [ours[each].per_second.low > bare[each].per_second.high for each in both]
    verdict: Verdict = "refuted" if all(faster) else "changed" if any(faster) else "confirmed"
    ratios = (
        f"{each.upper()} {ours[each].per_second.middle:,.0f} against {bare[each].per_second.middle:,.0f}/s"
        for each in both
    )
    return verdict, "; ".join(ratios)


def _no_speed_by_more(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
    bare, ours = (_of(results, experiment, each) for each in ("bare", "gunicorn-11"))
    both = [each for each in bare if each in ours]
    if not both:
        return None
    cheaper = [ours[each].cpu_us.high < bare[each].cpu_us.low for each in both]
    verdict: Verdict = "refuted" if all(cheaper) else "changed" if any(cheaper) else "confirmed"
    costs = (
        f"{each.upper()} {ours[each].cpu_us.middle:,.0f} against {bare[each].cpu_us.middle:,.0f} µs" for each in both
    )
    return verdict, "; ".join(costs)


def _no_stability(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
    bare = _of(results, experiment, "bare")
    others = {each: _of(results, experiment, each) for each in ("gunicorn-1", "gunicorn-11")}
    if not bare or not any(others.values()):
        return None
    noise = 0.0001
    better = {
        subject: [found[each].failed_share < bare[each].failed_share - noise for each in bare if each in found]
        for subject, found in others.items()
        if found
    }
    verdict: Verdict = (
        "refuted" if any(map(all, better.values())) else "changed" if any(map(any, better.values())) else "confirmed"
    )
    failed = {"bare": bare} | {subject: found for subject, found in others.items() if found}
    return verdict, "failed: " + "; ".join(
        f"{subject} {sum(one.failed for one in found.values()):,} of {sum(one.requests for one in found.values()):,}"
        for subject, found in failed.items()
    )


def _max_requests(results: Results, experiment: Experiment) -> tuple[Verdict, str] | None:
    on, off = (_of(results, experiment, each) for each in ("gunicorn-1-max-requests", "gunicorn-1"))
    both = [each for each in on if each in off]
    if not both:
        return None
    loses = any(on[each].lost_share > 10 * off[each].lost_share for each in both)
    lost = (
        f"{each.upper()} {percent(on[each].lost_share, 3)} against {percent(off[each].lost_share, 3)}" for each in both
    )
    return "confirmed" if loses else "refuted", "lost: " + "; ".join(lost)


def _of(results: Results, experiment: Experiment, subject: str) -> dict[Operation, Measurement]:
    return {each: one for each in LEVELS_MS if (one := measurement(results, experiment, subject, each))}


def _missed(results: Results, experiment: Experiment, subject: str) -> dict[Operation, float]:
    return {each: one.missed_share(LEVELS_MS[each]) for each, one in _of(results, experiment, subject).items()}


def _article_memory(results: Results, experiment: Experiment, subject: str) -> float | None:
    """Return the memory under load in MiB: the maximum over the operations, for as many pods as in the article."""
    found, pods = _of(results, experiment, subject), _pods(results, subject)
    if not found or not pods:
        return None
    return max(one.memory_mib.middle for one in found.values()) / pods * ARTICLE_PODS[subject]


def _pods(results: Results, subject: str) -> int:
    """Return the scaled number of pods, computed from their total memory limit."""
    return round(results.limits[subject][1] / POD_MIB[subject]) if subject in results.limits else 0


def _ratio(found: float, said: float) -> Verdict:
    """Confirm a ratio within 15 % of the claim; otherwise changed if it is above 1.05, else refuted."""
    return "confirmed" if abs(found / said - 1) <= 0.15 else "changed" if found > 1.05 else "refuted"


def _shares(shares: dict[Operation, float], digits: int = 3) -> str:
    return "; ".join(f"{each.upper()} {percent(share, digits)}" for each, share in shares.items())


LEVEL_RULE = "misses are at most 0.1 % for every operation; changed if only for some; else refuted"
RATIO_RULE = "the ratio is within 15 % of the claim; else changed if it is above 1.05; else refuted"

CLAIMS: tuple[tuple[str, str, Judge], ...] = (
    ("Bare aiohttp meets the service levels", LEVEL_RULE, _meets_levels("bare")),
    ("Gunicorn with one worker meets the service levels", LEVEL_RULE, _meets_levels("gunicorn-1")),
    (
        "Gunicorn with eleven workers per pod misses the service levels by far",
        "misses exceed 1 % for every operation; changed if they exceed 0.1 % for any; else refuted",
        _far_outside,
    ),
    ("One worker uses about 30 % more memory than bare", RATIO_RULE, _ratio_of_memory("gunicorn-1", 1.3)),
    ("Eleven workers use 2⅓ times the memory of bare", RATIO_RULE, _ratio_of_memory("gunicorn-11", 7 / 3)),
    ("Eleven workers use 43 % more CPU than bare", RATIO_RULE, _more_cpu),
    (
        "All use 90 to 105 % of their CPU limit",
        "every operation of every deployment is within 5 percentage points of the claim; else changed",
        _cpu_against_limit,
    ),
    (
        "Gunicorn is not faster: requests/s under equal limits",
        "one worker's interval of requests/s is above bare's for no operation; changed if for some; refuted if for all",
        _no_speed,
    ),
    (
        "More workers are not faster either: CPU per request",
        "eleven workers' interval of CPU is below bare's for no operation; changed if for some; refuted if for all",
        _no_speed_by_more,
    ),
    (
        "Gunicorn is not more stable: failed requests",
        "Gunicorn fails less, by over 0.01 % of requests, for no operation; changed if for some; refuted if for all",
        _no_stability,
    ),
    (
        "Found after the article: Gunicorn's `max_requests` 1000 loses requests",
        "for some operation over ten times as many requests get no answer as without it",
        _max_requests,
    ),
)
