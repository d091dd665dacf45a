"""The article's claims, each with the rule that decides if the figures confirm it, refute it or show a change."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.measurement import DEPLOYMENTS, LEVEL_SHARE, LEVELS_MS, Measurement, measurement
from benchmarks.results import Experiment, Operation, Results
from benchmarks.scale import ARTICLE
from benchmarks.statistics import percent

Verdict = Literal["confirmed", "changed", "refuted", "not measured"]
Found: TypeAlias = Mapping[str, Mapping[Operation, Measurement]]
"""What was measured of each deployment. A deployment that was not measured has no operations."""
Judge: TypeAlias = Callable[[Found, Mapping[str, tuple[float, float]]], tuple[Verdict, str]]
"""Decides on a claim, by the figures and the limits of CPU and memory."""

_ALLOWED = 1 - LEVEL_SHARE + 1e-12
_NOISE = 0.0001


@dataclass(frozen=True)
class Finding:
    """The verdict on a claim."""

    claim: str
    rule: str
    verdict: Verdict
    figures: str


def findings(results: Results, experiment: Experiment) -> list[Finding]:
    """Return the verdict on each claim, from the article's matrix on this machine or on a cluster."""
    found = {
        subject: {each: one for each in LEVELS_MS if (one := measurement(results, experiment, subject, each))}
        for subject in DEPLOYMENTS
    }
    limits = results.taken[experiment].limits if experiment in results.taken else {}
    made = []
    for claim, rule, needed, judge in CLAIMS:
        measured = all(found[subject] and subject in limits for subject in needed)
        verdict, figures = judge(found, limits) if measured else ("not measured", "–")
        made.append(Finding(claim, rule, verdict, figures))
    return made


def _by_number(held: Iterable[bool]) -> Verdict:
    """Confirm a claim that holds for all operations, refute one that holds for none."""
    each = [*held]
    return "confirmed" if all(each) else "changed" if any(each) else "refuted"


def _by_ratio(found: float, said: float) -> Verdict:
    return "confirmed" if abs(found / said - 1) <= 0.15 else "changed" if found > 1.05 else "refuted"


def _shares(shares: Mapping[Operation, float]) -> str:
    return "; ".join(f"{each.upper()} {percent(share, 3)}" for each, share in shares.items())


def _missed(of: Mapping[Operation, Measurement]) -> dict[Operation, float]:
    return {each: one.missed_share(LEVELS_MS[each]) for each, one in of.items()}


def _meets_levels(subject: str) -> Judge:
    def judge(found: Found, _: object) -> tuple[Verdict, str]:
        missed = _missed(found[subject])
        return _by_number(share <= _ALLOWED for share in missed.values()), _shares(missed)

    return judge


def _far_outside(found: Found, _: object) -> tuple[Verdict, str]:
    missed = _missed(found["gunicorn-11"])
    if all(share > 10 * (1 - LEVEL_SHARE) for share in missed.values()):
        return "confirmed", _shares(missed)
    return "changed" if any(share > _ALLOWED for share in missed.values()) else "refuted", _shares(missed)


def _memory(subject: str, said: float) -> Judge:
    """Compare the most memory under load, for as many pods as in the article."""

    def judge(found: Found, limits: Mapping[str, tuple[float, float]]) -> tuple[Verdict, str]:
        # A pod's limit is the article's at any scale, so the limit of all pods tells how many there are.
        ours, bare = (
            max(one.memory_mib.middle for one in found[each].values()) * ARTICLE[each].memory_mib / limits[each][1]
            for each in (subject, "bare")
        )
        told = f"{ours / bare:.2f} times: {ours:,.0f} against {bare:,.0f} MiB under load, scaled to the article's pods"
        return _by_ratio(ours / bare, said), told

    return judge


def _more_cpu(found: Found, _: object) -> tuple[Verdict, str]:
    ours, bare = (max(one.cores.middle for one in found[each].values()) for each in ("gunicorn-11", "bare"))
    return _by_ratio(ours / bare, 10 / 7), f"{ours / bare:.2f} times: {ours:.2f} against {bare:.2f} cores at most"


def _at_the_limit(found: Found, limits: Mapping[str, tuple[float, float]]) -> tuple[Verdict, str]:
    shares = {
        f"{subject} {each.upper()}": one.cores.middle / limits[subject][0]
        for subject in ARTICLE_OF_THREE
        for each, one in found[subject].items()
    }
    told = "; ".join(f"{what} {percent(share)}" for what, share in shares.items())
    return "confirmed" if all(0.85 <= share <= 1.1 for share in shares.values()) else "changed", told


def _no_speed(found: Found, _: object) -> tuple[Verdict, str]:
    both = [(each, one.per_second, found["bare"][each].per_second) for each, one in found["gunicorn-1"].items()]
    told = (f"{each.upper()} {ours.middle:,.0f} against {bare.middle:,.0f}/s" for each, ours, bare in both)
    return _by_number(ours.low <= bare.high for _, ours, bare in both), "; ".join(told)


def _no_speed_by_more(found: Found, _: object) -> tuple[Verdict, str]:
    both = [(each, one.cpu_us, found["bare"][each].cpu_us) for each, one in found["gunicorn-11"].items()]
    told = (f"{each.upper()} {ours.middle:,.0f} against {bare.middle:,.0f} µs" for each, ours, bare in both)
    return _by_number(ours.high >= bare.low for _, ours, bare in both), "; ".join(told)


def _no_stability(found: Found, _: object) -> tuple[Verdict, str]:
    verdicts = {
        _by_number(
            one.failed_share >= found["bare"][each].failed_share - _NOISE for each, one in found[subject].items()
        )
        for subject in ("gunicorn-1", "gunicorn-11")
    }
    verdict: Verdict = "refuted" if "refuted" in verdicts else "changed" if "changed" in verdicts else "confirmed"
    told = (
        f"{each} {sum(one.failed for one in found[each].values()):,} of "
        f"{sum(one.requests for one in found[each].values()):,}"
        for each in ARTICLE_OF_THREE
    )
    return verdict, f"failed: {'; '.join(told)}"


def _max_requests(found: Found, _: object) -> tuple[Verdict, str]:
    both = [(each, one, found["gunicorn-1"][each]) for each, one in found["gunicorn-1-max-requests"].items()]
    told = (
        f"{each.upper()} {percent(on.lost_share, 3)} against {percent(off.lost_share, 3)}" for each, on, off in both
    )
    loses = any(on.lost_share > 10 * off.lost_share for _, on, off in both)
    return "confirmed" if loses else "refuted", f"lost: {'; '.join(told)}"


ARTICLE_OF_THREE = ("bare", "gunicorn-1", "gunicorn-11")
LEVELS = "misses are at most 0.1 % for every operation; changed if only for some; else refuted"
RATIO = "the ratio is within 15 % of the claim; else changed if it is above 1.05; else refuted"
CLAIMS: tuple[tuple[str, str, tuple[str, ...], Judge], ...] = (
    ("Bare aiohttp meets the service levels", LEVELS, ("bare",), _meets_levels("bare")),
    ("Gunicorn with one worker meets the service levels", LEVELS, ("gunicorn-1",), _meets_levels("gunicorn-1")),
    (
        "Gunicorn with eleven workers per pod misses the service levels by far",
        "misses exceed 1 % for every operation; changed if they exceed 0.1 % for any; else refuted",
        ("gunicorn-11",),
        _far_outside,
    ),
    ("One worker uses about 30 % more memory than bare", RATIO, ("bare", "gunicorn-1"), _memory("gunicorn-1", 1.3)),
    ("Eleven workers use 2⅓ times the memory of bare", RATIO, ("bare", "gunicorn-11"), _memory("gunicorn-11", 7 / 3)),
    ("Eleven workers use 43 % more CPU than bare", RATIO, ("bare", "gunicorn-11"), _more_cpu),
    (
        "All use 90 to 105 % of their CPU limit",
        "every operation of every deployment is within 5 percentage points of the claim; else changed",
        ARTICLE_OF_THREE,
        _at_the_limit,
    ),
    (
        "Gunicorn is not faster: requests/s under equal limits",
        "one worker's interval of requests/s is above bare's for no operation; changed if for some; refuted if for all",
        ("bare", "gunicorn-1"),
        _no_speed,
    ),
    (
        "More workers are not faster either: CPU per request",
        "eleven workers' interval of CPU is below bare's for no operation; changed if for some; refuted if for all",
        ("bare", "gunicorn-11"),
        _no_speed_by_more,
    ),
    (
        "Gunicorn is not more stable: failed requests",
        "Gunicorn fails less, by over 0.01 % of requests, for no operation; changed if for some; refuted if for all",
        ARTICLE_OF_THREE,
        _no_stability,
    ),
    (
        "Found after the article: Gunicorn's `max_requests` 1000 loses requests",
        "for some operation over ten times as many requests get no answer as without it",
        ("gunicorn-1", "gunicorn-1-max-requests"),
        _max_requests,
    ),
)
