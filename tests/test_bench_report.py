"""The benchmark report: verdicts, goals, quantiles, sizes and the page are computed from the results."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
import yaml

from benchmarks import profiles, readme, report, sizing
from benchmarks.claims import findings
from benchmarks.goals import goals
from benchmarks.measurement import DEPLOYMENTS, FLOORS, PEERS, VARIANTS, measurement
from benchmarks.results import Experiment, Operation, Results, Sample, Start, Taken, quantile
from benchmarks.statistics import estimate, told_quantile
from harness.repository import REPOSITORY

ARTICLE_OPERATIONS: tuple[Operation, ...] = ("get", "post", "put")
ALL_OPERATIONS: tuple[Operation, ...] = ("get", "post", "put", "page")
CPU_US = {
    "service": 68,
    "service-without-coalescing": 110,
    "service-two-processes": 70,
    "service-four-connections": 68,
    "floor-static": 38,
    "floor-query": 34,
}


def sample(
    subject: str,
    operation: Operation = "get",
    experiment: Experiment = "article",
    *,
    peak_share: float | None = None,
    seconds: float = 10,
    histogram: Mapping[int, int] | None = None,
    failures: Mapping[str, int] | None = None,
    cpu_us: float = 100,
    database_cpu_us: float = 40,
    memory_mib: float = 60,
) -> Sample:
    counts, failed = histogram or {99: 100_000}, failures or {}
    requests = sum(counts.values()) + sum(failed.values())
    return Sample(
        experiment,
        subject,
        operation,
        1,
        200,
        peak_share,
        None if peak_share is None else requests / seconds,
        seconds,
        failed,
        cpu_us * requests / 1e6,
        database_cpu_us * requests / 1e6,
        memory_mib,
        counts,
    )


def results(samples: Iterable[Sample] = (), starts: Iterable[Start] = (), *, quick: bool = False) -> Results:
    limits = dict.fromkeys(DEPLOYMENTS, (0.7, 512.0)) | {"gunicorn-11": (5.0, 3072.0)}
    machine, versions = {"processor": "an abacus"}, {"python": "3.11"}
    taken = {each: Taken("2026-01-01T00:00:00Z", "abc") for each in get_args(Experiment)}
    return Results(taken, quick, machine, versions, "one pod", limits, [*starts], [*samples])


def matrix(**changed: dict[str, object]) -> Results:
    """Return the article's matrix with equal results, except the given samples, by deployment with _ for -."""
    changes = {name.replace("_", "-"): change for name, change in changed.items()}
    return results(
        replace(sample(each, operation), **changes.get(each, {}))  # type: ignore[arg-type]
        for each in DEPLOYMENTS
        for operation in ARTICLE_OPERATIONS
    )


def whole(**cpu_us: float) -> Results:
    """Return a complete run that meets every goal, with the given CPU per request, by subject with _ for -."""
    costs = CPU_US | dict.fromkeys(PEERS, 250) | {name.replace("_", "-"): cost for name, cost in cpu_us.items()}
    samples = [
        sample(
            each,
            operation,
            "comparison",
            cpu_us=costs[each] if operation == "get" or each in PEERS else 150,
            database_cpu_us=48 if each == "service-without-coalescing" else 14,
        )
        for each in (*VARIANTS, *PEERS, *FLOORS)
        for operation in (ALL_OPERATIONS if each not in FLOORS else ALL_OPERATIONS[:1])
    ]
    samples += [
        sample(each, operation, "open-loop", peak_share=share)
        for each in DEPLOYMENTS
        for operation in ARTICLE_OPERATIONS
        for share in (0.5, 0.7, 0.9)
    ]
    starts = [Start(each, 0.5, 44) for each in (*DEPLOYMENTS, *VARIANTS, *PEERS)]
    return results([*matrix().samples, *samples], starts)


def verdict(of: Results, claim: str) -> str:
    [found] = [each.verdict for each in findings(of, "article") if claim in each.claim]
    return found


def goal(of: Results, what: str) -> str:
    [found] = [each.verdict for each in goals(of) if what in each.what]
    return found


def test_seven_rounds_give_their_extremes_and_nine_leave_one_out_each_side() -> None:
    seven, nine = estimate([5, 1, 7, 3, 2, 6, 4]), estimate(range(9))
    assert (seven.middle, seven.low, seven.high) == (4, 1, 7)
    assert seven.coverage == pytest.approx(0.984, abs=0.001)
    assert (nine.middle, nine.low, nine.high) == (4, 1, 7)
    assert nine.coverage == pytest.approx(0.961, abs=0.001)


def test_too_few_rounds_say_how_little_they_cover() -> None:
    assert estimate([1.0]).coverage == 0
    assert estimate([1, 2, 3]).coverage == 0.75


def test_a_quantile_that_failures_reach_is_infinite() -> None:
    assert quantile({9: 980}, 0.99, failures=20) == float("inf")
    assert quantile({9: 980}, 0.98, failures=20) == 1


def test_a_quantile_is_told_from_ten_requests_beyond_it_on() -> None:
    assert told_quantile({9: 9_990}, 0.999, failures=9) is None
    assert told_quantile({9: 10_000}, 0.999, failures=0) == 1
    assert told_quantile({9: 9_980}, 0.999, failures=20) == float("inf")


def test_a_failure_and_what_is_later_than_the_level_are_misses() -> None:
    one = sample("bare", histogram={999: 900, 1000: 80}, failures={"503": 20})  # 100.0 and 100.1 ms
    found = measurement(results([one]), "article", "bare", "get")
    assert found
    assert found.missed_share(100) == 0.1


def test_results_come_back_as_they_were_kept(tmp_path: Path) -> None:
    kept = results([sample("bare", histogram={3: 7, 4: 5, 90: 1}), *whole().samples], [Start("bare", 0.5, 44)])
    kept.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == kept


def test_a_kept_histogram_is_coarser_where_it_is_slow_and_crosses_no_level() -> None:
    [kept] = report.coarser(results([sample("bare", histogram={12: 1, 499: 2, 990: 3, 999: 4, 1000: 5})])).samples
    assert kept.histogram == {12: 1, 499: 2, 999: 7, 1009: 5}


SLOW = {99: 99_000, 5_000: 1_000}
FAILED = {"EOF": 2_000}
CLAIMS: list[tuple[str, Results, str]] = [
    ("Bare aiohttp meets", matrix(), "confirmed"),
    ("Bare aiohttp meets", matrix(bare={"histogram": SLOW}), "refuted"),
    ("Bare aiohttp meets", matrix(bare={"histogram": {1_700: 100}}), "changed"),
    ("Gunicorn with one worker meets", matrix(), "confirmed"),
    ("Gunicorn with one worker meets", matrix(gunicorn_1={"failures": FAILED}), "refuted"),
    ("misses the service levels by far", matrix(), "refuted"),
    ("misses the service levels by far", matrix(gunicorn_11={"histogram": {99: 98_000, 5_000: 2_000}}), "confirmed"),
    ("misses the service levels by far", matrix(gunicorn_11={"histogram": {99: 99_500, 5_000: 500}}), "changed"),
    ("30 % more memory", matrix(gunicorn_1={"memory_mib": 78}), "confirmed"),
    ("30 % more memory", matrix(gunicorn_1={"memory_mib": 60}), "refuted"),
    ("30 % more memory", matrix(gunicorn_1={"memory_mib": 120}), "changed"),
    ("2⅓ times the memory", matrix(gunicorn_11={"memory_mib": 700}), "confirmed"),
    ("2⅓ times the memory", matrix(gunicorn_11={"memory_mib": 300}), "refuted"),
    ("43 % more CPU", matrix(gunicorn_11={"cpu_seconds": 14.3}), "confirmed"),
    ("43 % more CPU", matrix(gunicorn_11={"cpu_seconds": 10}), "refuted"),
    ("Bare uses 90 to 100 %", matrix(bare={"cpu_seconds": 6.8}), "confirmed"),
    ("Bare uses 90 to 100 %", matrix(bare={"cpu_seconds": 3}), "changed"),
    ("is not faster: requests/s", matrix(), "confirmed"),
    ("is not faster: requests/s", matrix(gunicorn_1={"seconds": 8}), "refuted"),
    ("CPU per request", matrix(), "confirmed"),
    ("CPU per request", matrix(gunicorn_11={"cpu_seconds": 5}), "refuted"),
    ("not more stable", matrix(), "confirmed"),
    ("not more stable", matrix(bare={"failures": FAILED}), "refuted"),
    ("Ten bare pods never use more", matrix(), "confirmed"),
    ("Ten bare pods never use more", matrix(bare={"memory_mib": 200}), "refuted"),
    ("`max_requests`", matrix(gunicorn_1_max_requests={"failures": FAILED}), "confirmed"),
    ("`max_requests`", matrix(gunicorn_1_max_requests={"failures": {"503": 2_000}}), "refuted"),
    ("`max_requests`", matrix(), "refuted"),
    ("115 MiB idle", results([], [Start("service", 1, 115)]), "confirmed"),
    ("115 MiB idle", results([], [Start("service", 1, 44)]), "changed"),
]


@pytest.mark.parametrize(
    ("claim", "of", "expected"), CLAIMS, ids=[f"{claim}-{expected}" for claim, _, expected in CLAIMS]
)
def test_the_figures_decide_on_a_claim(claim: str, of: Results, expected: str) -> None:
    assert verdict(of, claim) == expected


def test_gunicorn_is_not_called_faster_where_the_rounds_overlap() -> None:
    rounds = [(10, 8), (10, 8), (9, 10)]  # seconds that bare and Gunicorn took for the same number of requests
    of = results(
        sample(each, seconds=seconds)
        for took in rounds
        for each, seconds in zip(("bare", "gunicorn-1"), took, strict=True)
    )
    assert verdict(of, "is not faster: requests/s") == "confirmed"


def test_a_claim_without_figures_has_no_verdict() -> None:
    assert {each.verdict for each in findings(results(), "article")} == {"not measured"}


def test_goals_that_are_reached_are_met() -> None:
    assert {each.verdict for each in goals(whole())} == {"met"}


@pytest.mark.parametrize(
    ("what", "of"),
    [
        ("GET by id: at most the floor", lambda: whole(service=73)),
        ("GET by id without coalescing", lambda: whole(service_without_coalescing=123)),
        ("half of every peer", lambda: whole(blacksheep=136)),
        ("POST: less than every peer", lambda: whole(litestar=150)),
        ("PUT: less than every peer", lambda: whole(litestar=149)),
        ("a page of 50", lambda: whole(service=59)),
        ("two processes", lambda: whole(service_two_processes=72)),
        ("PostgreSQL's CPU", lambda: swapped("service", "get", database_cpu_seconds=2.0)),
        ("4 connections", lambda: swapped("service-four-connections", "get", seconds=11.0)),
        ("GET: p99.9", lambda: swapped("bare", "get", "open-loop", histogram={200: 200_000})),
        ("PUT: p99.9", lambda: swapped("bare", "put", "open-loop", failures={"503": 5_000})),
        ("idle memory", lambda: replace(whole(), starts=[Start("service", 0.5, 46)])),
        ("start to ready", lambda: replace(whole(), starts=[Start("service", 0.61, 44)])),
    ],
)
def test_goals_that_are_not_reached_are_missed(what: str, of: Callable[[], Results]) -> None:
    missed = of()
    assert goal(missed, what) == "**missed**"
    assert "| **missed** |" in report.page(missed, [])


def swapped(subject: str, operation: str, experiment: str = "comparison", **change: object) -> Results:
    """Return a complete run in which one sample is changed."""
    one = whole()
    return replace(
        one,
        samples=[
            replace(each, **change)  # type: ignore[arg-type]
            if (each.subject, each.operation, each.experiment) == (subject, operation, experiment)
            else each
            for each in one.samples
        ],
    )


def test_a_tail_of_too_few_requests_meets_no_goal() -> None:
    few = swapped("bare", "get", "open-loop", histogram={9: 98_000})
    assert goal(few, "GET: p99.9") == "not measured"


def test_sizes_are_for_the_dearest_rate_that_was_measured() -> None:
    half = sample("bare", "get", "open-loop", peak_share=0.5, cpu_us=350)
    found = sizing.costs(replace(whole(), samples=[*whole().samples, half, half, half]))
    assert found
    assert found.cpu_us["get"] > 2 * CPU_US["service"]
    assert found.cpu_us["page"] == pytest.approx(150)


COSTS = sizing.Costs({"get": 100, "post": 200}, {"get": 20, "post": 60}, 65)


def test_pods_stay_below_their_share_of_a_core() -> None:
    made = sizing.plan(COSTS, sizing.Rates(get=10_000, post=2_000))
    assert made.service_cores == pytest.approx(1.4)
    assert made.pods == 2  # 0.7 core each, which is exactly the limit
    assert made.cpu_millicores == 1000
    assert made.database_cores == pytest.approx(0.32)
    assert sizing.plan(COSTS, sizing.Rates(get=14_001)).pods == 3


def test_little_load_still_has_two_pods_and_room_to_start() -> None:
    made = sizing.plan(COSTS, sizing.Rates(get=1))
    assert (made.pods, made.cpu_millicores) == (2, 100)


def test_connections_count_twice_and_memory_has_room_for_bodies() -> None:
    made = sizing.plan(COSTS, sizing.Rates(get=70_000))
    assert (made.pods, made.connections) == (10, 90)
    assert (made.memory_request_mib, made.memory_limit_mib) == (96, 256)


def test_the_nearest_bottleneck_comes_first() -> None:
    rates = sizing.Rates(get=1_000)
    small, large = (sizing.bottlenecks(sizing.plan(COSTS, rates), rates, cores) for cores in (1, 16))
    assert small[0] == "from 35,000 requests/s on: PostgreSQL's CPU reaches 70 % of 1 cores"
    assert large[0].startswith("from 77,000 requests/s on: 100 connections are enough for 11 pods only")


def test_what_was_not_measured_is_labelled_arithmetic() -> None:
    of = whole()
    assert sizing.was_measured(of, sizing.Rates(get=10_000))
    assert not sizing.was_measured(of, sizing.Rates(get=10_001))
    assert not sizing.was_measured(of, sizing.Rates(get=100, put=1))
    page = report.page(of, [])
    assert "| 10,000 | measured |" in page
    assert "| 30,000 | arithmetic |" in page


def calculator(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.sizing", *map(str, arguments)]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)


def test_the_calculator_computes(tmp_path: Path) -> None:
    whole().save(tmp_path / "results.json")
    done = calculator("--gets", "2000", "--posts", "100", "--results", tmp_path / "results.json")
    assert done.returncode == 0, done.stderr
    assert "pods                2\n" in done.stdout
    assert "arithmetic: " in done.stdout


def test_the_calculator_says_what_is_missing(tmp_path: Path) -> None:
    results([]).save(tmp_path / "results.json")
    assert "make bench ONLY=comparison" in calculator("--gets", "1", "--results", tmp_path / "results.json").stderr
    assert "`make bench` makes one" in calculator("--gets", "1", "--results", tmp_path / "none.json").stderr
    assert "at least one rate" in calculator().stderr


def test_profiles_follow_from_the_results() -> None:
    texts = profiles.texts(whole(service=100))
    assert texts.keys() == {"small", "medium", "large"}
    small, large = (yaml.safe_load(texts[each]) for each in ("small", "large"))
    assert small["resources"] == {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
    assert large["autoscaling"]["maxReplicas"] == 11
    assert texts["large"].startswith("# For 21,000 to 77,000 GETs/s: 3 to 11 pods.")
    assert "# 2 × 11 pods × (3 + 1) connections + 10 in reserve = 98 of 100." in texts["large"]


def test_a_quick_run_makes_no_profiles_and_says_that_it_is_one() -> None:
    quick = replace(whole(), quick=True)
    with pytest.raises(ValueError, match="whole run"):
        profiles.texts(quick)
    assert "**Quick run, scaled down: do not quote these figures.**" in report.page(quick, [])


def test_the_page_names_the_pictures_that_are_there_and_no_others() -> None:
    page = report.page(whole(), ["throughput", "cpu", "sizing"])
    assert page.count("](benchmarks/") == 3 + 1  # plus the link to the results
    assert all(f"](benchmarks/{each}.svg)" in page for each in ("throughput", "cpu", "sizing"))


def test_a_section_that_was_not_measured_says_so() -> None:
    page = report.page(results([sample("bare")]), [])
    assert "## The article's experiment" in page
    for title, command in (
        ("Open loop at fixed rates", "ONLY=open-loop"),
        ("Comparison with other frameworks", "ONLY=comparison"),
        ("The article's experiment on a cluster", "TARGET=cluster"),
        ("Sizing", "ONLY=comparison"),
    ):
        assert f"## {title}\n\nNot in these results; `make bench {command}` measures it.\n" in page


def test_words_need_no_plotly() -> None:
    program = "import sys, benchmarks.report, benchmarks.sizing, benchmarks.profiles; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=False).returncode == 0


def test_all_pictures_are_named_on_the_page() -> None:
    pytest.importorskip("plotly", reason="the benchmark's environment has it")
    from benchmarks import charts

    of = replace(whole(), quick=True)
    of = replace(of, samples=[*of.samples, *(replace(each, experiment="cluster") for each in matrix().samples)])
    made = charts.charts(of)
    page = report.page(of, made)
    assert len(made) == 6 + 6 + 1 + 2 + 1 + 1
    for name, figure in made.items():
        assert f"](benchmarks/{name}.svg)" in page
        assert "quick run, not to be quoted" in [each.text for each in figure.layout.annotations]


def test_charts_stand_what_little_there_is() -> None:
    pytest.importorskip("plotly", reason="the benchmark's environment has it")
    from benchmarks import charts

    assert charts.charts(results()) == {}
    lost = replace(sample("bare", failures={"503": 5}), histogram={})
    alone = replace(sample("service", experiment="comparison", histogram={9: 3}), database_cpu_seconds=0)
    assert {"throughput", "latency-get", "cpu", "sizing"} <= charts.charts(results([lost, alone])).keys()
    assert "5 × 503" in report.page(results([lost, alone]), [])


def test_loads_that_ended_early_are_reported() -> None:
    loads = [sample("bare", "get", "open-loop", peak_share=0.9, seconds=seconds) for seconds in (5, 5, 2)]
    assert "1 of the 3 loads ended early" in report.page(results(loads), [])
    assert "ended early" not in report.page(results(loads[:2]), [])


KEPT = REPOSITORY / "docs" / "benchmarks" / "results.json"


@pytest.mark.skipif(not KEPT.exists(), reason="no results are kept yet")
def test_no_figure_of_the_page_or_the_readme_is_typed_by_hand() -> None:
    pictures = [each.stem for each in KEPT.parent.glob("*.svg")]
    page = (REPOSITORY / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert page == report.page(Results.load(KEPT), pictures)
    readme_text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert readme_text == readme.renewed(readme_text, Results.load(KEPT))
    assert KEPT.stat().st_size < 2_100_000
